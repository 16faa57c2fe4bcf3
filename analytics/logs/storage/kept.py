"""The files as they were uploaded, kept beside the database so that it can always be built again.

Texts are compressed; what came compressed or as Parquet stays as it came. Only their owner can read them.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

RAW = "raw"
SWITCH = "TIERTUNE_KEEP_FILES"
_MAGIC = (b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
_CHUNK = 4 << 20


def wanted() -> bool:
    """Whether files are kept as they are loaded: unless the environment says ``TIERTUNE_KEEP_FILES=0``."""
    return os.environ.get(SWITCH, "1") != "0"


class Kept:
    """Kept files by the SHA-256 of their decompressed content.

    Args:
        folder: Where they lie; made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, file_id: str, raw: Path) -> None:
        """Take over ``raw``, a private copy on the same disk; it is gone from its place, if it was new.

        Raises:
            OSError: The disk is full.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self.path(file_id) is not None:
            return
        _on_disk(raw)
        raw.replace(self._folder / file_id)
        _on_disk(self._folder)

    def give_back(self, file_id: str, raw: Path) -> None:
        """Undo ``keep``: what it took is in its place again."""
        if not raw.exists():
            (self._folder / file_id).replace(raw)

    def path(self, file_id: str) -> Path | None:
        """Where a kept file lies; None if it is not kept. An id that names another folder is nobody's."""
        path = self._folder / file_id
        return path if path.name == file_id and path.is_file() else None

    def forget_others(self, file_ids: Iterable[str]) -> None:
        """Delete every kept file that is not among these."""
        wanted = set(file_ids)
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in wanted:
                    path.unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """Bytes on the disk."""
        if not self._folder.is_dir():
            return 0
        return sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())


def copied(source: Path, target: Path) -> None:
    """A private copy of a file to be kept, on the disk: text compressed, anything else as it is."""
    with (
        source.open("rb") as content,
        open(target, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as copy,
    ):
        if content.read(4).startswith(_MAGIC):
            shutil.copyfile(source, target)
        else:
            content.seek(0)
            with pa.CompressedOutputStream(pa.PythonFile(copy, mode="w"), "zstd") as packed:
                while chunk := content.read(_CHUNK):
                    packed.write(chunk)
    _on_disk(target)


def _on_disk(path: Path) -> None:
    """Make sure that a file, or a new name in a folder, outlives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
