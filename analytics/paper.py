"""A page for people who never saw the dashboard, as Markdown and as HTML."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_MARKDOWN = re.compile(r"([\\`*_\[\]|~<>&])")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2230; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.answer { font-size: 1.2rem; } .muted { color: #555c6b; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #d8dce4; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
svg { display: block; } .scroll { overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { color: #e6e9ef; background: #14171f; } .muted { color: #a5adbb; }
  th, td { border-color: #333a48; } }
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: texts, the first column to the left."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of paragraphs and tables."""

    title: str
    parts: Sequence["str | Table"]


def markdown(title: str, lead: str, sections: Sequence[Section]) -> str:
    """A document as Markdown; nothing of a user's text is read as markup."""
    lines = [f"# {escaped(title)}", "", f"**{escaped(lead)}**", ""]
    for section in sections:
        lines += [f"## {escaped(section.title)}", ""]
        for part in section.parts:
            if isinstance(part, str):
                lines += [escaped(part), ""]
                continue
            lines.append("| " + " | ".join(escaped(cell) for cell in part.header) + " |")
            lines.append("|---" + "|---:" * (len(part.header) - 1) + "|")
            lines += ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in part.rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def page(
    title: str, lead: str, sections: Sequence[Section], *, pictures: Mapping[str, str] | None = None
) -> str:
    """A document as HTML that needs nothing else.

    Args:
        title: Title.
        lead: The answer under it.
        sections: In order.
        pictures: SVG of our own making by the title of the section that it opens.
    """
    drawn = pictures or {}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{plain(title)}</title><style>{_STYLE}</style></head><body>",
        f'<h1>{plain(title)}</h1><p class="answer">{plain(lead)}</p>',
    ]
    for section in sections:
        parts.append(f"<h2>{plain(section.title)}</h2>")
        if drawn.get(section.title):
            parts.append(drawn[section.title])
        parts += [_part(part) for part in section.parts]
    return "\n".join([*parts, "</body></html>", ""])


def _part(part: str | Table) -> str:
    if isinstance(part, str):
        return f'<p class="muted">{plain(part)}</p>'
    head = "".join(f"<th>{plain(cell)}</th>" for cell in part.header)
    body = "".join("<tr>" + "".join(f"<td>{plain(cell)}</td>" for cell in row) + "</tr>" for row in part.rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def escaped(text: str) -> str:
    """Text where Markdown is read."""
    return _MARKDOWN.sub(r"\\\1", _BREAKS.sub(" ", text))


def plain(text: str) -> str:
    """Text where HTML is read."""
    return html.escape(_BREAKS.sub(" ", text))
