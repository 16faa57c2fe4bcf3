"""What a file is by its content; its name is only compared with it."""

import codecs
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from analytics.errors import SchemaError
from analytics.logs.reading.staging import LIMITS, Format

CHUNK = 1 << 20
_TEXT_CONTROLS = frozenset({0, 9, 10, 12, 13})
_RATIO_FROM = 16_000_000
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_WANTED = "Upload CSV, JSON lines, JSON or Parquet, plain or as .gz or .zst."
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "Zip archives are not supported"),
    (b"PK\x05\x06", "Zip archives are not supported"),
    (b"PARE", "Encrypted Parquet files are not supported"),
    (b"\xd0\xcf\x11\xe0", "Old Excel workbooks are not supported"),
    (b"BZh", "bzip2 files are not supported"),
    (b"\xfd7zXZ", "xz files are not supported"),
    (b"7z\xbc\xaf", "7z archives are not supported"),
    (b"\x04\x22\x4d\x18", "lz4 files are not supported"),
    (b"Obj\x01", "Avro files are not supported"),
    (b"ORC", "ORC files are not supported"),
    (b"ARROW1", "Arrow files are not supported"),
    (b"SQLite format 3\x00", "SQLite databases are not supported"),
    (b"%PDF", "PDF files are not supported"),
    (b"\x89HDF", "HDF5 files are not supported"),
    (b"\x93NUMPY", "NumPy files are not supported"),
)
_BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_WORDS: dict[Format, str] = {"csv": "CSV", "jsonl": "JSON lines", "json": "JSON", "parquet": "Parquet"}


@dataclass(frozen=True, slots=True)
class Content:
    """A file's decompressed content.

    Attributes:
        path: Where it lies: the file itself, or its decompressed copy in the private folder.
        compression: gzip, zstd or null.
        file_id: SHA-256 (hex) of the content.
        size_bytes: Of the content.
        head: Its first 64 KiB.
    """

    path: Path
    compression: str | None
    file_id: str
    size_bytes: int
    head: bytes


def content(path: Path, folder: Path, *, trusted: bool = False) -> Content:
    """The decompressed content of a file, with its hash; checked to the last byte.

    Args:
        path: The file.
        folder: Private folder for a decompressed copy.
        trusted: Whether it is one of our own kept files, which may be as large and as dense as it is.

    Raises:
        SchemaError: Empty, incomplete or damaged compressed files, those past the limits, and formats
            that are refused by name.
    """
    packed_bytes = path.stat().st_size
    if packed_bytes == 0:
        raise SchemaError("The file is empty (0 bytes). Nothing was loaded. Export it again.")
    with path.open("rb") as source:
        magic = source.read(4)
        source.seek(0)
        compression = "gzip" if magic[:2] == _GZIP else "zstd" if magic == _ZSTD else None
        if compression is None:
            found = _measured(path, None, iter(lambda: source.read(CHUNK), b""))
        else:
            chunks = _gunzipped(source) if compression == "gzip" else _unzstd(source)
            found = _spilled(
                folder / "content", compression, chunks if trusted else _bounded(chunks, packed_bytes)
            )
    if found.size_bytes == 0:
        raise SchemaError("The compressed file holds no data. Nothing was loaded. Export it again.")
    _refuse_foreign(found.head)
    return found


def _measured(path: Path, compression: str | None, chunks: Iterator[bytes]) -> Content:
    digest, size, head = hashlib.sha256(), 0, b""
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        if len(head) < CHUNK >> 4:
            head += chunk[: CHUNK >> 4]
    return Content(path, compression, digest.hexdigest(), size, head)


def _spilled(path: Path, compression: str, chunks: Iterator[bytes]) -> Content:
    with path.open("wb") as target:

        def written() -> Iterator[bytes]:
            for chunk in chunks:
                target.write(chunk)
                yield chunk

        return _measured(path, compression, written())


def _bounded(chunks: Iterator[bytes], packed_bytes: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LIMITS.decompressed_bytes:
            limit = f"{LIMITS.decompressed_bytes / 1e6:,.0f} MB"
        elif size > _RATIO_FROM and size > LIMITS.ratio * packed_bytes:
            limit = f"{LIMITS.ratio} times its compressed size ({packed_bytes:,} bytes)"
        else:
            yield chunk
            continue
        raise SchemaError(
            f"Decompressed size passes the limit of {limit}; stopped, nothing was loaded. "
            "Upload the log uncompressed or in parts."
        )


def _gunzipped(source: BinaryIO) -> Iterator[bytes]:
    """Bytes of every gzip member; zlib checks each member's CRC and length."""
    pending = source.read(CHUNK)
    while pending:
        pending = pending.lstrip(b"\0")  # zero padding between members is legal
        if pending:
            member = zlib.decompressobj(wbits=31)
            yield from _member(member, pending, source)
            pending = member.unused_data
        pending = pending or source.read(CHUNK)


def _member(member: "zlib._Decompress", pending: bytes, source: BinaryIO) -> Iterator[bytes]:
    try:
        while not member.eof:
            yield member.decompress(pending, CHUNK)
            pending = member.unconsumed_tail
            if not member.eof and not pending:
                pending = source.read(CHUNK)
                if not pending:
                    raise SchemaError("The compressed file is incomplete; nothing was loaded. Copy it again.")
    except zlib.error:
        raise _damaged() from None


def _unzstd(source: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - Python 3.11 has no zstd of its own

    stream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    except OSError as error:
        if "truncated" in str(error).lower():
            raise SchemaError(
                "The compressed file is incomplete; nothing was loaded. Copy it again."
            ) from None
        raise _damaged() from None


def _damaged() -> SchemaError:
    return SchemaError("The compressed file is damaged; nothing was loaded. Copy or export it again.")


def _refuse_foreign(head: bytes) -> None:
    for magic, sentence in _REFUSED:
        if head.startswith(magic):
            if magic == b"PK\x03\x04" and b"[Content_Types].xml" in head:
                raise SchemaError("Excel workbooks are not supported: save the sheet as CSV (UTF-8).")
            if magic[:2] == b"PK":
                raise SchemaError(f"{sentence}: upload the CSV, .gz or .zst inside it.")
            raise SchemaError(f"{sentence}. {_WANTED}")
    if head[257:262] == b"ustar":
        raise SchemaError("Tar archives are not supported: upload the CSV, .gz or .zst inside it.")
    if head[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise SchemaError(
            "The file is a web page, perhaps that of a sign-in, and not a log. Sign in and export it again."
        )
    if head.startswith((_GZIP, _ZSTD)):
        raise SchemaError(f"The file is compressed twice. {_WANTED}")
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        raise SchemaError(
            "This is not a Parquet file but a Python pickle. Pickles can run code and are never opened. "
            "Export the log as Parquet or CSV."
        )


def text_encoding(head: bytes) -> tuple[str, int] | None:
    """Encoding and length of a byte-order mark, or null."""
    return next(((name, len(bom)) for bom, name in _BOMS if head.startswith(bom)), None)


def looks_like_utf16(head: bytes) -> str | None:
    """The kind of UTF-16 that bytes without a mark look like: every second byte is NUL."""
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = max(len(head[:4096]) // 2, 1)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else None


def text_format(text: bytes, name: str) -> Format:
    """Whether text is CSV or one of the JSON kinds; ``json`` here still covers JSON lines.

    Raises:
        SchemaError: Binary data.
    """
    start = text.lstrip()[:1]
    if start in {b"[", b"{"}:
        return "json"
    sample = text[:4096]
    controls = sum(sample.count(code) for code in range(32) if code not in _TEXT_CONTROLS)
    if controls > max(8, 0.05 * len(sample)) or sample.count(0) > max(8, 0.2 * len(sample)):
        kind = "a Parquet" if named_format(name) == "parquet" else "a CSV, JSON or Parquet"
        raise SchemaError(f"This is not {kind} file. {_WANTED}")
    return "csv"


def named_format(name: str) -> Format | None:
    """The format that a file's name claims, or null."""
    stem = name.lower()
    for ending in (".gz", ".zst"):
        stem = stem.removesuffix(ending)
    return next((kind for suffix, kind in _SUFFIXES.items() if stem.endswith(suffix)), None)


def name_notes(name: str, found: Format, compression: str | None) -> list[str]:
    """Sentences on where name and content disagree."""
    notes = []
    claimed, word = named_format(name), _WORDS[found]
    if compression is not None and not name.lower().endswith((".gz", ".zst")) and claimed is not None:
        notes.append(
            f"The content is {compression}, which the name does not say; decompressed and read as {word}."
        )
    if claimed is not None and claimed != found and (claimed, found) != ("json", "jsonl"):
        notes.append(f"The name says {_WORDS[claimed]} but the content is {word}; read as {word}.")
    return notes
