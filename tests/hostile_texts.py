"""Texts that attack whoever shows them: each is a name that a log may hold."""

EVIL = "evil.invalid"
"""The host that no page may ever ask for anything."""

TEXTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    f'<a href="http://{EVIL}/a">here</a>',
    "<svg/onload=alert(3)>",
    "</textarea></style><iframe src=javascript:alert(4)>",
    "[press](javascript:alert(5))",
    f"![seen](http://{EVIL}/b.png)",
    f"[here](http://{EVIL}/c)",
    f"http://{EVIL}/d",
    f"www.{EVIL}/e",
    f"who@{EVIL}",
    f"<http://{EVIL}/f>",
    "$\\href{javascript:alert(6)}{x}$ $$y$$",
    ":smile: :material/home: :streamlit:",
    ":red[red] :blue-badge[b] :material/delete:",
    "# heading",
    "- item",
    "1. item",
    "> quote",
    "| a | b |",
    "**bold** _it_ ~~no~~ `code`",
    "-> <- <-> -- >= <= ~=",
    "<b>bold</b><br>line<sup>2</sup>",
    "%{customdata} %{y:.1%} {z}",
    "&lt;b&gt; &amp; &#36; &#x3c;",
    '"onmouseover="alert(7)',
    "'; DROP TABLE decisions; --",
    f'=HYPERLINK("http://{EVIL}/g","x")',
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\u202eevil\u202c \u2066x\u2069",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "a\\b \\$ \\[x\\] \\<b\\>",
    "line\nbreak\ttab\x00nul\x85next",
    "[^1]: note [^1] [ ] [x]",
    "{{7*7}} ${7*7} #{7*7}",
    "x" * 190,
)


def visible(text: str, *, limit: int) -> str:
    """What a reader should see of ``text``: one line, no signs that turn others round, cut at ``limit``."""
    hidden = {
        *range(0x20),
        *range(0x7F, 0xA0),
        0x2028,
        0x2029,
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
    }
    flat = " ".join("".join(" " if ord(sign) in hidden else sign for sign in text).split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "\u2026"
