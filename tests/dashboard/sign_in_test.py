"""Sign-in: whom the list lets in, and that nothing of the app runs before it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import sign_in

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "tiertune",
    "client_secret": "not a secret",
    "server_metadata_url": "http://localhost:9/.well-known/openid-configuration",
}
LIST = {"allowed_emails": ["Anna@Example.com", "@example.org"]}


def identity(
    email: object = "anna@example.com", *, verified: object = True, age_s: float = 60
) -> dict[str, Any]:
    return {"is_logged_in": True, "email": email, "email_verified": verified, "iat": time.time() - age_s}


@pytest.mark.parametrize(
    ("email", "let_in"),
    [
        ("anna@example.com", True),
        ("ANNA@EXAMPLE.COM", True),
        ("bob@example.org", True),
        ("bob@EXAMPLE.org", True),
        ("bob@example.com", False),
        ("anna@example.com.evil.invalid", False),
        ("anna@sub.example.org", False),
        ("bob@notexample.org", False),
        ("bob@evil.invalid@example.org", False),
        ("@example.org", False),
        ("example.org", False),
        (" anna@example.com", False),
        ("anna@example.com ", False),
        ("ann\u0430@example.com", False),  # a Cyrillic a
        ("bob@e\u212aample.org", False),
        ("", False),
        (None, False),
        (["anna@example.com"], False),
    ],
)
def test_the_list_is_compared_whole_and_without_regard_to_case(email: object, let_in: object) -> None:
    assert sign_in.admitted(identity(email), LIST["allowed_emails"]) is let_in


def test_signs_that_only_unicode_makes_equal_are_different() -> None:
    # U+212A, the Kelvin sign, becomes a plain k in lower case.
    assert "\u212a".lower() == "k"
    assert not sign_in.admitted(identity("\u212aim@example.com"), ["kim@example.com"])
    assert sign_in.admitted(identity("Kim@example.com"), ["kim@example.com"])


@pytest.mark.parametrize("verified", [False, None, "false", "", 1.5, "yes"])
def test_an_e_mail_that_is_not_verified_is_not_let_in(verified: object) -> None:
    assert not sign_in.admitted(identity(verified=verified), LIST["allowed_emails"])
    assert not sign_in.admitted({"email": "anna@example.com"}, LIST["allowed_emails"])


def test_nobody_is_on_an_empty_list() -> None:
    assert not sign_in.admitted(identity(), [])
    assert not sign_in.admitted(identity(), ["", "@"])


def test_the_environment_replaces_the_list_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERTUNE_ALLOWED_EMAILS", " a@x.org, @y.org;b@z.org\n")
    assert sign_in.allowed() == ("a@x.org", "@y.org", "b@z.org")
    monkeypatch.setenv("TIERTUNE_ALLOWED_EMAILS", " ")
    assert sign_in.allowed() == ()


def test_a_sign_in_counts_for_twelve_hours() -> None:
    assert sign_in.fresh({"iat": 1000}, now=1000 + 12 * 3600)
    assert not sign_in.fresh({"iat": 1000}, now=1001 + 12 * 3600)
    assert not sign_in.fresh({}, now=1000)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the store would be made if anything opened it."""
    path = tmp_path / "sign-in.duckdb"
    monkeypatch.setenv("TIERTUNE_DB", str(path))
    monkeypatch.delenv("TIERTUNE_ALLOWED_EMAILS", raising=False)
    monkeypatch.setattr(sign_in, "find_spec", lambda _: object())  # Authlib is an extra
    yield path
    st.cache_resource.clear()


def page(user: dict[str, Any], secrets: dict[str, Any]) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.secrets, app.user = secrets, user
    return app.run()


def said(app: AppTest) -> str:
    return " ".join(
        item.value.replace("\\", "") for kind in ("markdown", "caption") for item in app.get(kind)
    )


STRANGERS = {
    "nobody": ({"is_logged_in": False}, "Sign in to see this dashboard.", "Sign in"),
    "without a word": ({}, "Sign in to see this dashboard.", "Sign in"),
    "another": (identity("eve@evil.invalid"), "may not see this dashboard", "Sign out"),
    "a claim": (identity(verified=False), "may not see this dashboard", "Sign out"),
    "no e-mail": (identity(None), "This account, which has no e-mail, may not", "Sign out"),
    "an attack": (identity("![x](http://evil.invalid/x.png)"), "may not see this dashboard", "Sign out"),
    "yesterday": (identity(age_s=13 * 3600), "older than twelve hours", "Sign in"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_nothing_of_the_app_runs_for_a_stranger(stranger: str, database: Path) -> None:
    user, sentence, button = STRANGERS[stranger]
    app = page(user, {"auth": AUTH, "tiertune": LIST})
    assert not app.exception
    assert sentence in said(app)
    assert [item.label for item in app.button] == [button]
    assert not app.selectbox
    assert not app.file_uploader
    assert not app.sidebar.children
    assert not database.exists()


@pytest.mark.parametrize(
    ("secrets", "lacks"),
    [
        ({"auth": AUTH}, "nobody is on the list"),
        ({"auth": AUTH, "tiertune": {"allowed_emails": []}}, "nobody is on the list"),
        ({"auth": AUTH, "tiertune": {"allowed_emails": "anna@example.com"}}, "nobody is on the list"),
        ({"auth": {"redirect_uri": "x"}, "tiertune": LIST}, "no complete [auth] section"),
    ],
)
def test_a_sign_in_that_is_half_set_up_lets_nobody_in(
    secrets: dict[str, Any], lacks: str, database: Path
) -> None:
    app = page(identity(), secrets)
    assert lacks in said(app)
    assert [item.label for item in app.button] == ["Sign out"]
    assert not database.exists()


@pytest.mark.parametrize("name", ["TIERTUNE_SIGN_IN", "TIERTUNE_ALLOWED_EMAILS"])
def test_a_secrets_file_that_is_gone_lets_nobody_in(
    name: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "anna@example.com")
    app = page(identity(), {"other": 1})
    assert "no complete [auth] section" in said(app)
    assert not database.exists()
    assert not sign_in.may_upload("a session")


@pytest.mark.parametrize("email", ["anna@example.com", "bob@example.org"])
def test_those_on_the_list_see_the_dashboard_and_the_way_out(email: str, database: Path) -> None:
    app = page(identity(email), {"auth": AUTH, "tiertune": LIST})
    assert not app.exception
    assert app.title[0].value == "What would a better threshold change?"
    assert email in said(app).replace(sign_in.words.JOINER, "")
    assert "Sign out" in [item.label for item in app.sidebar.button]
    assert database.exists()


def test_without_a_sign_in_everybody_on_this_machine_is_let_in(database: Path) -> None:
    app = page({"is_logged_in": False}, {})
    assert app.title[0].value == "What would a better threshold change?"
    assert not app.sidebar.button
    assert sign_in.may_upload("a session")
    assert database.exists()
