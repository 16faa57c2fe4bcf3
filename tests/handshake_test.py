"""Who may talk to the server: every Host and Origin that a foreign page could send, and the right ones."""

import base64
import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from app import App, served

NAME = "app.example.com"
FOREIGN = (
    "evil.invalid",
    "localhost.evil.invalid",
    "127.0.0.1.evil.invalid",
    "sub.app.example.com",
    "10.0.0.1",
    "app.example.com@evil.invalid",
    "evil.invalid@app.example.com",
    "[::1",
    "",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with served(tmp_path_factory.mktemp("handshake"), "--allow-host", NAME, "--no-sign-in") as app:
        yield app


def port(app: App) -> int:
    return int(app.url.rpartition(":")[2])


def handshake(app: App, host: str, origin: str | None) -> int:
    """The status with which the server answers the opening of a WebSocket; 101 is a yes."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /_stcore/stream HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *([] if origin is None else [f"Origin: {origin}"]),
    ]
    with socket.create_connection(("127.0.0.1", port(app)), timeout=10) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(wire.recv(64).split(b" ")[1])


def status(app: App, path: str, *, host: str, method: str = "GET", origin: str | None = None) -> int:
    """The status of an HTTP request with these headers."""
    return answer(app, path, host=host, method=method, origin=origin).status


def answer(
    app: App, path: str, *, host: str, method: str = "GET", origin: str | None = None
) -> http.client.HTTPResponse:
    wire = http.client.HTTPConnection("127.0.0.1", port(app), timeout=10)
    wire.putrequest(method, path, skip_host=True)
    wire.putheader("Host", host)
    if origin is not None:
        wire.putheader("Origin", origin)
    wire.endheaders()
    found = wire.getresponse()
    found.read()
    wire.close()
    return found


def test_right_hosts_and_own_pages_are_let_in(server: App) -> None:
    at = port(server)
    right = [
        (f"localhost:{at}", f"http://localhost:{at}"),
        (f"127.0.0.1:{at}", f"http://127.0.0.1:{at}"),
        (NAME, f"https://{NAME}"),  # behind a proxy that ends TLS and keeps the Host header
        (NAME.upper(), None),
        (f"127.0.0.1:{at}", None),  # a program, not a browser
    ]
    assert {pair: handshake(server, *pair) for pair in right} == dict.fromkeys(right, 101)
    assert status(server, "/", host=NAME) == 200
    assert status(server, "/_stcore/health", host=f"localhost:{at}") == 200


def test_every_foreign_host_or_origin_is_refused(server: App) -> None:
    at = port(server)
    own = f"127.0.0.1:{at}"
    origins = [
        *(f"{scheme}://{host}" for scheme in ("http", "https") for host in FOREIGN if host),
        f"http://{own}.evil.invalid",
        f"http://evil.invalid#{own}",
        f"http://{own}@evil.invalid",
        f"http://localhost:{at}",  # this server by another of its names is another site to a browser
        "http://localhost:9999",
        "http://127.0.0.1:9999",
        f"https://{NAME}",
        f"file://{own}",
        "http://[",
        f"http://[::1]:{at}",
        "null",
        "",
    ]
    # A page whose name was pointed to this machine sends its own name as both.
    rebound = [(host, origin) for host in FOREIGN for origin in (f"http://{host}", None)]
    crossed = [(own, origin) for origin in origins]
    tried = {pair: handshake(server, *pair) for pair in (*rebound, *crossed)}
    print(f"handshakes refused: {sum(code != 101 for code in tried.values())} of {len(tried)}")
    assert {pair: code for pair, code in tried.items() if code not in (400, 403)} == {}
    assert {
        code for host, origin in rebound if (code := status(server, "/", host=host, origin=origin)) != 421
    } <= {400}
    assert {origin for origin in origins if status(server, "/", host=own, origin=origin) != 403} == set()


def test_uploads_from_a_foreign_page_and_metrics_are_refused(server: App) -> None:
    own = f"127.0.0.1:{port(server)}"
    path = "/_stcore/upload_file/any/file"
    assert status(server, path, host=own, method="PUT", origin="http://evil.invalid") == 403
    assert status(server, path, host="evil.invalid", method="PUT") == 421
    for name in ("/_stcore/metrics", "/_stcore/metrics/"):
        assert status(server, name, host=own) == 404


def test_pages_forbid_the_browser_to_load_from_elsewhere_or_to_frame_them(server: App) -> None:
    found = answer(server, "/", host=f"127.0.0.1:{port(server)}")
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in (found.getheader("Content-Security-Policy") or "").split(";")
    )
    assert policy["default-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"
    assert not any("http" in part or "*" in part for part in policy.values())
    assert found.getheader("X-Content-Type-Options") == "nosniff"


def test_the_server_listens_on_this_machine_only(server: App) -> None:
    rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows += Path("/proc/net/tcp6").read_text(encoding="ascii").splitlines()[1:]
    wanted = f":{port(server):04X}"
    listening = [row.split()[1] for row in rows if row.split()[1].endswith(wanted) and row.split()[3] == "0A"]
    assert listening == [f"0100007F{wanted}"]  # 127.0.0.1 in the kernel's byte order
