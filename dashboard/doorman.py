"""Who may ask the server for anything: checked before Streamlit sees a request."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from dashboard import sign_in

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HIDDEN = ("/_stcore/metrics",)
UPLOADS = "/_stcore/upload_file/"
REFUSED = 1008
"""WebSocket close code for a policy violation; before the handshake it becomes status 403."""
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""With these the browser itself loads nothing from elsewhere and shows the dashboard in no other page."""


class Doorman:
    """ASGI middleware: hosts by name, own pages only, no metrics, no uploads before the sign-in."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass a request on with the headers of a careful site, or refuse it in one sentence."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": REFUSED, "reason": refusal[1]})
        else:
            await PlainTextResponse(refusal[1], status_code=refusal[0])(scope, receive, send)


def known_host(host: str | None, names: Iterable[str]) -> bool:
    """Whether a Host header names this server: one of ``names``, with any port."""
    if host is None or "@" in host:
        return False
    found = _split(f"//{host}")
    return found is not None and found.hostname in {name.lower() for name in names}


def own_page(origin: str | None, host: str | None) -> bool:
    """Whether a request comes from a page of this server, or from a program, which has no origin."""
    if origin is None:
        return True
    found = _split(origin)
    return found is not None and found.scheme in ("http", "https") and found.netloc == host


def _split(address: str) -> SplitResult | None:
    """The parts of an address; None where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def _refusal(scope: "Scope") -> tuple[int, str] | None:
    """Status and sentence for a request that is not passed on."""
    headers, path = Headers(scope=scope), str(scope["path"])
    host = headers.get("host")
    if not known_host(host, st.config.get_option("server.allowedHosts")):
        return 421, "This server does not go by that name. Its operator can add it with --allow-host."
    if not own_page(headers.get("origin"), host):
        return 403, "Only pages of this dashboard may use it."
    if path.rstrip("/").endswith(HIDDEN):
        return 404, "There is nothing here."
    if UPLOADS in path and not sign_in.may_upload(path.partition(UPLOADS)[2].partition("/")[0]):
        return 403, "Sign in first."
    return None


def _with_headers(send: "Send") -> "Send":
    async def sent(message: "Message") -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sent
