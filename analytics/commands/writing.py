"""Files that a command writes: as a whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from analytics.commands.outcome import InputError


def require_writable(path: Path) -> None:
    """Make sure, before anything is done, that a file can be written there.

    Raises:
        InputError: It cannot.
    """
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from None


def write(path: Path, text: str) -> None:
    """Write a text file, readable as the user's other files are.

    Raises:
        InputError: It cannot be written; what was there before stays.
    """
    with replaced(path) as new, new.open("w", encoding="utf-8", newline="") as stream:
        stream.write(text)


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` that takes its place once it was written without an error.

    Raises:
        InputError: It cannot be written; what was there before stays.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
        os.close(descriptor)
        try:
            yield Path(name)
            umask = os.umask(0)
            os.umask(umask)
            Path(name).chmod(0o666 & ~umask)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be written: {error.strerror}.")
