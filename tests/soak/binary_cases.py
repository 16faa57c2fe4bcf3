"""Compressed files, Parquet files, and files of formats that are no logs."""

import bz2
import lzma

import pyarrow as pa

from tests.soak.cases import (
    ROWS,
    Case,
    arrow,
    changed_rows,
    flipped,
    good_csv,
    good_rows,
    gz,
    parquet,
    parquet_of,
    tar,
    workbook,
    zst,
)


def packed() -> tuple[Case, ...]:
    """Compressed files and those of other formats."""
    return (
        Case(
            "two_frames.csv.zst",
            "two zstd frames, which is legal",
            lambda: zst(good_csv()[:500]) + zst(good_csv()[500:]),
            (20, 20, 0, 0),
        ),
        Case(
            "cut.csv.zst", "zstd cut off", lambda: zst(good_csv())[:-9], None, ("incomplete", "Copy it again")
        ),
        Case(
            "sum.csv.gz",
            "wrong checksum",
            lambda: flipped(gz(good_csv()), -6, 255),
            None,
            ("damaged", "Copy or export"),
        ),
        Case(
            "rest.csv.gz",
            "text after the gzip member",
            lambda: gz(good_csv()) + b"trailing text",
            None,
            ("damaged", "Copy or export"),
        ),
        Case("nothing.csv.gz", "gzip of nothing", lambda: gz(b""), None, ("no data", "Export")),
        Case(
            "twice.csv.gz.gz",
            "compressed twice",
            lambda: gz(gz(good_csv())),
            None,
            ("compressed twice", "Upload CSV"),
        ),
        Case(
            "bomb.jsonl.zst",
            "1 GiB of one letter",
            lambda: zst(b"a" * (1 << 30)),
            None,
            ("Decompressed size passes the limit", "Upload the log"),
        ),
        Case("log.tar", "a tar archive", tar, None, ("Tar archives are not supported", "upload the CSV")),
        Case(
            "log.tar.gz",
            "a tar archive, compressed",
            lambda: gz(tar()),
            None,
            ("Tar archives are not supported", "upload the CSV"),
        ),
        Case("log.xlsx", "an Excel workbook", workbook, None, ("Excel workbooks are not supported", "CSV")),
        Case(
            "log.csv.bz2",
            "bzip2",
            lambda: bz2.compress(good_csv()),
            None,
            ("bzip2 files are not supported", "Upload CSV"),
        ),
        Case(
            "log.csv.xz",
            "xz",
            lambda: lzma.compress(good_csv()),
            None,
            ("xz files are not supported", "Upload CSV"),
        ),
        Case("log.feather", "an Arrow file", arrow, None, ("Arrow files are not supported", "Upload CSV")),
        Case(
            "photo.csv",
            "a picture",
            lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
            None,
            ("not a CSV", "Upload CSV"),
        ),
    )


def tables() -> tuple[Case, ...]:
    """Parquet files."""
    names = [*good_rows()[0]]
    at = dict(zip(names, range(len(names)), strict=True))

    def doubled() -> bytes:
        table = pa.Table.from_pylist(good_rows())
        return parquet_of(table.append_column("tier", table.column("tier")))

    def times(value: int) -> bytes:
        return parquet(
            good_rows(), timestamp=pa.array([1_767_225_600_000_000] * 19 + [value], pa.timestamp("us"))
        )

    return (
        Case(
            "no_rows.parquet",
            "no rows",
            lambda: parquet_of(pa.Table.from_pylist(good_rows()).slice(0, 0)),
            None,
            ("no rows", "Export"),
        ),
        Case(
            "column_twice.parquet",
            "two columns of one name",
            doubled,
            None,
            ('Column "tier" appears twice', f"columns {at['tier'] + 1} and 11", "Rename"),
        ),
        Case(
            "cut.parquet", "cut off", lambda: parquet(good_rows())[:-200], None, ("damaged", "Copy or export")
        ),
        Case(
            "nul.parquet",
            "a NUL in a text",
            lambda: parquet(changed_rows({4: {"category": "a\0b"}})),
            (20, 19, 1, 0),
            ("category", "NUL", "row 3"),
        ),
        Case(
            "year_1.parquet",
            "a time of the year 1",
            lambda: times(-62_135_596_800_000_000),
            (20, 19, 1, 0),
            ("time outside 2015-2100", "row 20"),
        ),
        Case(
            "year_290000.parquet",
            "a time that no calendar has",
            lambda: times(2**63 - 1),
            (20, 19, 1, 0),
            ("no time that can be read", "row 20"),
        ),
        Case(
            "nan.parquet",
            "NaN as a confidence and as a cost",
            lambda: parquet(changed_rows({3: {"confidence": float("nan")}, 4: {"cost_usd": float("nan")}})),
            (20, 19, 1, 0),
            ("confidence", "row 2", "cost is not finite", "row 3"),
        ),
        Case(
            "unsigned.parquet",
            "tokens beyond 63 bits",
            lambda: parquet(good_rows(), input_tokens=pa.array([5] * 19 + [2**64 - 1], pa.uint64())),
            (20, 20, 0, 0),
            ("no whole number", "row 20"),
        ),
        Case(
            "nulls.parquet",
            "a column of nulls",
            lambda: parquet(good_rows(), confidence=pa.nulls(ROWS)),
            (20, 20, 0, 0),
        ),
        Case(
            "binary.parquet",
            "texts stored as bytes",
            lambda: parquet(good_rows(), model=pa.array([b"gpt-5-mini"] * 20, pa.binary())),
            (20, 20, 0, 0),
        ),
        Case(
            "encrypted.parquet",
            "an encrypted file",
            lambda: b"PARE" + parquet(good_rows())[4:-4] + b"PARE",
            None,
            ("Encrypted Parquet files are not supported", "Upload"),
        ),
        Case(
            "footer.parquet",
            "a footer length that is none",
            lambda: parquet(good_rows())[:-8] + b"\xff\xff\xff\x7fPAR1",
            None,
            ("damaged", "Copy or export"),
        ),
    )
