"""Where the dashboard listens, by which names it is reached, and who may sign in."""

import argparse
import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analytics.commands.outcome import InputError

HOST = "127.0.0.1"
ALLOWED = "TIERTUNE_ALLOWED_EMAILS"
ASKED = "TIERTUNE_SIGN_IN"
NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
SHORTEST_SECRET = 32
NAME = re.compile(r"(?i)[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def add_hosting(parser: argparse.ArgumentParser) -> None:
    """The flags of a dashboard that others may reach."""
    group = parser.add_argument_group("a dashboard for others (see SECURITY.md)")
    group.add_argument(
        "--host", type=_address, default=HOST, metavar="ADDRESS", help=f"listen there (default: {HOST})"
    )
    group.add_argument(
        "--allow-host",
        action="append",
        default=[],
        type=_name,
        metavar="NAME",
        help="a host name in the browser's address line, beside localhost; may be repeated",
    )
    group.add_argument(
        "--sign-in", type=Path, metavar="FILE", help="secrets file (TOML) of an OpenID Connect provider"
    )
    group.add_argument(
        "--no-sign-in", action="store_true", help="let in everybody who reaches it under these names"
    )


def checked(options: argparse.Namespace) -> None:
    """Refuse what would be open to others by accident.

    Raises:
        InputError: An address or a name by which others reach it is given without a word on sign-in, or the
            secrets file lacks something.
    """
    if options.sign_in is not None:
        if options.no_sign_in:
            raise InputError("--sign-in and --no-sign-in exclude each other.")
        _checked_secrets(options.sign_in)
    elif os.environ.get(ALLOWED):
        raise InputError(f"{ALLOWED} is set, but there is no sign-in. Name the secrets file: --sign-in FILE.")
    if not ipaddress.ip_address(options.host).is_loopback and not options.allow_host:
        raise InputError(
            f"Others can reach {options.host}. Say by which host name they do: --allow-host NAME."
        )
    if options.allow_host and options.sign_in is None and not options.no_sign_in:
        raise InputError(
            f"Others can reach this dashboard as {', '.join(options.allow_host)}. Say who may sign in, "
            "--sign-in FILE, or that everybody may see it: --no-sign-in."
        )


def settings(options: argparse.Namespace) -> list[str]:
    """What the flags change about Streamlit's settings, as its own flags; names add to those in the file."""
    flags = [
        f"--server.address={options.host}",
        *(f"--server.allowedHosts={name}" for name in options.allow_host),
    ]
    return flags if options.sign_in is None else [*flags, f"--secrets.files={options.sign_in.resolve()}"]


def environment(options: argparse.Namespace) -> dict[str, str]:
    """What the pages are told: that nobody is let in without a sign-in."""
    return {} if options.sign_in is None else {ASKED: "1"}


def reached(options: argparse.Namespace) -> str:
    """The address at which this machine itself reaches the dashboard, for a URL."""
    address = ipaddress.ip_address(options.host)
    if address.is_unspecified:
        return HOST
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6


def _checked_secrets(path: Path) -> None:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"The secrets file {path} cannot be read.") from None
    except ValueError:
        raise InputError(f"The secrets file {path} is no TOML.") from None
    auth = _section(found, "auth")
    missing = [name for name in NEEDED if not isinstance(auth.get(name), str) or not auth[name]]
    if missing:
        raise InputError(f"The secrets file {path} needs under [auth]: {', '.join(missing)}.")
    if len(auth["cookie_secret"]) < SHORTEST_SECRET:
        raise InputError(
            f"The cookie_secret in {path} is shorter than {SHORTEST_SECRET} characters. Make one with: "
            'python -c "import secrets; print(secrets.token_hex(32))".'
        )
    if not os.environ.get(ALLOWED) and not _section(found, "tiertune").get("allowed_emails"):
        raise InputError(
            "Nobody could sign in: list who may, in the environment as "
            f"{ALLOWED}=anna@example.com,@example.org or as allowed_emails under [tiertune] in {path}."
        )
    if find_spec("authlib") is None:
        raise InputError("Sign-in needs one more package: pip install 'tiertune[sign-in]'.")


def _section(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = found.get(name)
    return section if isinstance(section, dict) else {}


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an IP address such as {HOST} or 0.0.0.0") from None


def _name(text: str) -> str:
    if NAME.fullmatch(text) is None:
        raise argparse.ArgumentTypeError("must be one host name such as app.example.com, without a port")
    return text.lower()
