"""Sign-in in a real browser against an OpenID Connect provider of our own: who comes in, and who does not."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from app import App, served
from visit import Visit, visiting

pytest.importorskip("authlib", reason="the extra sign-in is not installed")
from joserfc import jwt
from joserfc.jwk import RSAKey

pytestmark = pytest.mark.journey

CLIENT = "tiertune-test"
LET_IN = {"email": "Anna@example.com", "email_verified": True}
STRANGERS = ({"email": "eve@evil.invalid", "email_verified": True}, {"email": "anna@example.com"})


@dataclass(slots=True)
class Provider:
    """A stub of an OpenID Connect provider, which says of everybody what it is told to.

    Attributes:
        claims: What it says of the next user.
        asked: Paths that it was asked for.
    """

    claims: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    nonce: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k"}))

    def answer(self, path: str, query: dict[str, list[str]]) -> dict[str, Any] | str:
        """A document, or the address to go to."""
        self.asked.append(path)
        if path == "/authorize":
            self.nonce = query["nonce"][0]
            code = urlencode({"code": "c", "state": query["state"][0]})
            return f"{query['redirect_uri'][0]}?{code}"
        if path == "/token":
            return {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": self._token()}
        if path == "/jwks":
            return {"keys": [self.key.as_dict(private=False)]}
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "s",
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
        }
        return jwt.encode({"alg": "RS256", "kid": "k"}, claims | self.claims, self.key)


@pytest.fixture
def provider() -> Iterator[Provider]:
    stub = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            found = stub.answer(address.path, parse_qs(address.query))
            body = b"" if isinstance(found, str) else json.dumps(found).encode()
            self.send_response(302 if isinstance(found, str) else 200)
            if isinstance(found, str):
                self.send_header("Location", found)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def dashboard(provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.delenv("TIERTUNE_ALLOWED_EMAILS", raising=False)
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(
        "[auth]\n"
        'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
        'cookie_secret = "0123456789abcdef0123456789abcdef"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "s"\n'
        f'server_metadata_url = "{provider.url}/.well-known/openid-configuration"\n'
        '[tiertune]\nallowed_emails = ["anna@example.com"]\n',
        encoding="utf-8",
    )
    with served(tmp_path, "--sign-in", str(secrets)) as app:
        yield app


def signed_in(visit: Visit, sentence: str) -> None:
    """Press the button, come back from the provider, and read what is said then."""
    visit.page.get_by_role("button", name="Sign in").click()
    visit.page.get_by_text(sentence).first.wait_for()
    visit.settle()


def signed_out(visit: Visit) -> None:
    visit.page.get_by_role("button", name="Sign out").click()
    visit.page.get_by_text("Sign in to see this dashboard.").wait_for()
    visit.settle()


def sent(visit: Visit) -> tuple[int, str]:
    """What the server says to an upload that no page asked for."""
    put = "async () => {const r = await fetch('/_stcore/upload_file/s/f', {method: 'PUT', body: 'x'}); "
    found = visit.page.evaluate(put + "return [r.status, await r.text()]}")
    return found[0], found[1]


def test_only_a_verified_e_mail_on_the_list_comes_in(
    provider: Provider, dashboard: App, tmp_path: Path
) -> None:
    with visiting(dashboard.url) as visit:
        for name in ("", "/logs", "/export?dataset=any"):
            visit.page.goto(dashboard.url + name)
            visit.page.get_by_text("Sign in to see this dashboard.").wait_for()
            assert visit.page.get_by_test_id("stSidebarNav").count() == 0
            assert visit.page.locator('input[type="file"]').count() == 0
        assert sent(visit) == (403, "Sign in first.")
        visit.page.goto(dashboard.url)
        visit.settle()
        for claims in STRANGERS:
            provider.claims = claims
            signed_in(visit, "may not see this dashboard")
            assert visit.page.get_by_test_id("stSidebarNav").count() == 0
            assert sent(visit) == (403, "Sign in first.")
            signed_out(visit)
        provider.claims = LET_IN
        signed_in(visit, "What would a better threshold change?")
        assert visit.page.get_by_text("Signed in as").count() == 1
        (tmp_path / "log.csv").write_text("task_category,confidence\nlaw,0.5\n", encoding="utf-8")
        visit.open("Logs")
        visit.page.locator('input[type="file"]').first.set_input_files(str(tmp_path / "log.csv"))
        visit.page.get_by_text("log.csv").first.wait_for()
        signed_out(visit)
        assert (visit.errors, visit.outside) == ([], [])
    assert provider.asked.count("/token") == len(STRANGERS) + 1
