"""A dashboard is open to others only where somebody said so, in full."""

import argparse
import json
from pathlib import Path

import pytest

from analytics.cli import main
from analytics.commands import hosting

SECRETS = """[auth]
redirect_uri = "https://app.example.com/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "c"
client_secret = "s"
server_metadata_url = "https://id.example.com/.well-known/openid-configuration"
[tiertune]
allowed_emails = ["anna@example.com"]
"""
NAMED = ("--allow-host", "app.example.com")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(hosting.ALLOWED, raising=False)
    monkeypatch.setattr(hosting, "find_spec", lambda _: None)


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    hosting.add_hosting(parser)
    return parser.parse_args(words)


def refusal(*words: str) -> str:
    with pytest.raises(hosting.InputError) as found:
        hosting.checked(options(*words))
    return str(found.value)


def test_by_default_it_listens_on_this_machine_only() -> None:
    hosting.checked(options())
    assert hosting.settings(options()) == ["--server.address=127.0.0.1"]
    assert hosting.environment(options()) == {}


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.7", "2001:db8::1"])  # noqa: S104 - refused
def test_an_address_that_others_reach_needs_a_name_and_a_word_on_sign_in(address: str) -> None:
    assert "--allow-host NAME" in refusal("--host", address)
    assert "--allow-host NAME" in refusal("--host", address, "--no-sign-in")
    assert "--no-sign-in" in refusal("--host", address, *NAMED)
    hosting.checked(options("--host", address, *NAMED, "--no-sign-in"))


def test_a_name_that_others_use_needs_a_word_on_sign_in_behind_a_proxy_too() -> None:
    assert "--sign-in FILE" in refusal(*NAMED)
    hosting.checked(options(*NAMED, "--no-sign-in"))
    assert "--server.allowedHosts=app.example.com" in hosting.settings(options(*NAMED, "--no-sign-in"))


def test_the_command_itself_refuses_before_it_listens_or_opens_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("serve", "--host", "0.0.0.0", "--db", str(tmp_path / "x.duckdb"), "--json")  # noqa: S104
    assert main(words) == 2
    assert "--allow-host" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert not (tmp_path / "x.duckdb").exists()


@pytest.mark.parametrize("word", ["*", "*.example.com", "a b", "http://a", "a:80", "a/b", "", "-x", "a,b"])
def test_a_host_name_is_one_name(word: str) -> None:
    with pytest.raises(SystemExit):
        options(f"--allow-host={word}")


@pytest.mark.parametrize("word", ["app.example.com", "localhost:1", "1.2.3", ""])
def test_an_address_is_an_ip_address(word: str) -> None:
    with pytest.raises(SystemExit):
        options(f"--host={word}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "is no TOML"),
        ("[auth]\n", "needs under [auth]: redirect_uri, cookie_secret, client_id, client_secret"),
        (SECRETS.replace("0123456789abcdef0123456789abcdef", "short"), "shorter than 32 characters"),
        (SECRETS.replace('["anna@example.com"]', "[]"), "Nobody could sign in"),
        (SECRETS, "tiertune[sign-in]"),  # without Authlib, as this test arranges
    ],
)
def test_a_sign_in_that_could_not_work_is_refused_at_the_start(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    assert said in refusal("--sign-in", "s.toml")
    assert "cannot be read" in refusal("--sign-in", "absent.toml")


def test_a_sign_in_reaches_the_pages_as_a_file_and_as_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting, "find_spec", lambda _: object())
    (tmp_path / "s.toml").write_text(SECRETS, encoding="utf-8")
    given = options("--sign-in", "s.toml", *NAMED)
    hosting.checked(given)
    assert f"--secrets.files={tmp_path / 's.toml'}" in hosting.settings(given)
    assert hosting.environment(given) == {"TIERTUNE_SIGN_IN": "1"}
    assert "exclude each other" in refusal("--sign-in", "s.toml", "--no-sign-in")


def test_a_list_of_e_mails_without_a_sign_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(hosting.ALLOWED, "anna@example.com")
    assert "--sign-in FILE" in refusal()
