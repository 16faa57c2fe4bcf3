"""Who may see the dashboard where sign-in is asked for: Streamlit's OpenID Connect and a list of e-mails.

Nothing else of the app runs before ``gate`` lets the page go on: no store is opened, no upload is taken.
Whatever is missing or unclear refuses everybody.
"""

import os
import re
import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from analytics.commands.hosting import ALLOWED, ASKED, NEEDED
from dashboard import words

LONGEST_S = 12 * 3600
"""A sign-in counts for half a day; the identity cookie alone would do for thirty."""
MOST_SESSIONS = 10_000
NO_PROVIDER = "its secrets file has no complete [auth] section."
NO_AUTHLIB = "the package for it is missing: pip install 'tiertune[sign-in]'."
NO_LIST = (
    f"nobody is on the list of allowed e-mails. It is {ALLOWED} in the environment, or allowed_emails under "
    "[tiertune] in the secrets file."
)

_signed_in: set[str] = set()
"""Ids of sessions that were let in; one that is forgotten is here again after its next run."""


def asked() -> bool:
    """Whether this server lets in only those who sign in."""
    return bool(os.environ.get(ASKED)) or ALLOWED in os.environ or bool(_secrets("auth"))


def may_upload(session: str) -> bool:
    """Whether a browser session may send files."""
    return not asked() or session in _signed_in


def gate() -> None:
    """Let the page go on for those who may see it; everybody else gets one sentence and the page stops."""
    if not asked():
        return
    session = _session()
    _signed_in.discard(session)
    claims = st.user.to_dict()
    if missing := lacking():
        _refuse(f"Sign-in is not set up, so nobody is let in. For the operator: {missing}")
    elif claims.get("is_logged_in") is not True:
        _ask("Sign in to see this dashboard.")
    elif not admitted(claims, allowed()):
        email = claims.get("email")
        who = words.plain(email, limit=80) if isinstance(email, str) else "This account, which has no e-mail,"
        _refuse(f"{who} may not see this dashboard. Its operator can add a verified e-mail address.")
    elif not fresh(claims, now=time.time()):
        _ask("Your sign-in is older than twelve hours. Sign in again.")
    else:
        if len(_signed_in) >= MOST_SESSIONS:
            _signed_in.clear()
        _signed_in.add(session)
        return
    st.stop()


def account() -> None:
    """Who is signed in and the way out, at the end of the sidebar; nothing where no sign-in is asked for."""
    if asked():
        with st.sidebar:
            st.caption(f"Signed in as {words.plain(str(st.user.to_dict().get('email')), limit=80)}")
            st.button("Sign out", icon=":material/logout:", type="tertiary", on_click=st.logout)


def lacking() -> str:
    """What the operator has to add before anybody can sign in; empty where nothing is missing."""
    auth = _secrets("auth")
    if not all(isinstance(auth.get(name), str) and auth[name] for name in NEEDED):
        return NO_PROVIDER
    if find_spec("authlib") is None:
        return NO_AUTHLIB
    return "" if allowed() else NO_LIST


def allowed() -> tuple[str, ...]:
    """The allow list: the environment's where it is set, else that of the secrets file."""
    stated = os.environ.get(ALLOWED)
    if stated is not None:
        return tuple(entry for entry in re.split(r"[\s,;]+", stated) if entry)
    listed = _secrets("tiertune").get("allowed_emails", ())
    return () if isinstance(listed, str) else tuple(str(entry).strip() for entry in listed)


def admitted(claims: Mapping[str, Any], entries: Iterable[str]) -> bool:
    """Whether the e-mail of an identity is verified and on the list.

    Args:
        claims: What the provider says of the user.
        entries: Addresses, compared whole and without regard to ASCII case, and domains such as
            ``@example.com``, which stand for every address that ends so and for no subdomain.
    """
    email = claims.get("email")
    if claims.get("email_verified") not in (True, "true") or not isinstance(email, str):
        return False
    name, at, domain = _folded(email).partition("@")
    if not name or not domain or "@" in domain:
        return False
    return bool({name + at + domain, at + domain} & {_folded(entry) for entry in entries})


def fresh(claims: Mapping[str, Any], *, now: float) -> bool:
    """Whether the identity was issued at most twelve hours before ``now``, seconds since 1970."""
    issued = claims.get("iat")
    return isinstance(issued, int | float) and now - issued <= LONGEST_S


def _folded(text: str) -> str:
    """Lower case by ASCII rules only: others make different letters equal, as the Kelvin sign and k."""
    return text.lower() if text.isascii() else text


def _secrets(section: str) -> Mapping[str, Any]:
    """A section of the secrets file; empty where there is none."""
    if not st.secrets.load_if_toml_exists():
        return {}
    found = st.secrets.get(section, {})
    return found if isinstance(found, Mapping) else {}


def _session() -> str:
    context = get_script_run_ctx()
    return "" if context is None else context.session_id


def _ask(sentence: str) -> None:
    st.title("tiertune", anchor=False)
    st.markdown(sentence)
    st.button("Sign in", icon=":material/login:", type="primary", on_click=st.login)


def _refuse(sentence: str) -> None:
    st.title("tiertune", anchor=False)
    st.markdown(sentence)
    if st.user.to_dict().get("is_logged_in") is True:
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)
