"""The command that starts the dashboard."""

import argparse
import importlib.util
import json
import os
import socket
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import data
from analytics.commands import flags, folders, hosting, opening
from analytics.commands.outcome import InputError
from analytics.logs.storage import kept
from analytics.logs.store import Store

PORT = 8501
BADGE = "Sample log (simulated)"


def add_serve(commands: Any) -> None:
    """``tiertune serve``."""
    parser = flags.command(
        commands, "serve", text="Open the dashboard in a browser on this machine.", run=serve
    )
    parser.add_argument(
        "log",
        nargs="*",
        metavar="LOG",
        help="dataset to show, files to load first, or a folder of Parquet files",
    )
    parser.add_argument("--port", type=flags.port, default=PORT, help=f"default: {PORT}")
    flags.add_keep(parser)
    hosting.add_hosting(parser)
    flags.add_answers(parser)


def serve(options: argparse.Namespace) -> None:
    """Become the dashboard's server: load what was asked for, close the database, start Streamlit.

    The process is replaced, so that an interrupt reaches the server itself and nothing is left behind.

    Raises:
        InputError: The port is taken, or others could reach the dashboard without anybody having said so.
    """
    hosting.checked(options)
    _free(options.host, options.port)
    path = flags.database(options)
    with opening.database(options, keep=not options.no_keep) as store:
        dataset = _shown(store, options)
    address = f"http://{hosting.reached(options)}:{options.port}"
    address += f"/?dataset={quote(dataset, safe='')}" if dataset else ""
    if options.json:
        print(json.dumps({"url": address, "pid": os.getpid(), "database": str(path)}), flush=True)  # noqa: T201
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    else:
        print(f"Dashboard: {address}\nDatabase: {path}\nStop it with Ctrl-C.", flush=True)  # noqa: T201
    command = [
        sys.executable,
        "-P",
        "-m",
        "dashboard",
        "run",
        str(_folder() / "server.py"),
        *settings(),
        *hosting.settings(options),
        f"--server.port={options.port}",
    ]
    # Each run of a page is a thread. With glibc's heap for each of them, what one freed the next cannot have,
    # and memory grows with every session.
    told = {"MALLOC_ARENA_MAX": "2"} | os.environ | {"TIERTUNE_DB": str(path)} | hosting.environment(options)
    told |= {kept.SWITCH: "0"} if options.no_keep else {}
    os.execve(sys.executable, command, told)  # noqa: S606 - no shell wanted


def settings() -> list[str]:
    """The project's Streamlit settings as flags; Streamlit finds the file in the working folder only.

    Raises:
        InputError: This is no editable install, so the file is not there.
    """
    path = _folder().parent / ".streamlit" / "config.toml"
    if not path.is_file():
        raise InputError(
            "The dashboard's settings are missing. Install tiertune from its folder: pip install -e ."
        )
    return list(_flags("", tomllib.loads(path.read_text(encoding="utf-8"))))


def _flags(section: str, values: dict[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flags(f"{section}{key}.", value)
        elif isinstance(value, list) and not section.startswith("theme."):
            yield from (f"--{section}{key}={item}" for item in value)
        else:
            yield f"--{section}{key}={value if isinstance(value, str) else json.dumps(value)}"


def _folder() -> Path:
    """The dashboard's folder; it is found without being imported, since that would load Streamlit."""
    spec = importlib.util.find_spec("dashboard")
    if spec is None or spec.origin is None:
        raise InputError("The dashboard is not installed. Install tiertune from its folder: pip install -e .")
    return Path(spec.origin).parent


def _shown(store: Store, options: argparse.Namespace) -> str | None:
    """Load what was asked for, or the sample log into an empty database; the dataset to open."""
    names: list[str] = options.log
    known = store.datasets()["name"].to_list()
    if not names:
        if not known:
            sample = data.sample_log()
            opening.loaded(store, opening.dataset_name(sample), [sample], options, badge=BADGE)
        return None
    files = [Path(name) for name in names]
    if len(files) == 1 and files[0].is_dir():
        found = folders.looked_into(store, files[0], options)
        print(folders.sentence(found), file=sys.stderr)  # noqa: T201 - this is the command line
        return found.dataset
    if all(path.is_file() for path in files):
        dataset = opening.dataset_name(files[0])
        opening.loaded(store, dataset, files, options)
        return dataset
    if len(names) == 1 and names[0] in known:
        return names[0]
    raise InputError(
        f"There is no file and no dataset named {', '.join(names)}. Datasets: {', '.join(known) or 'none'}."
    )


def _free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise InputError(f"Port {port} of {host} is not free. Choose another with --port.") from None
