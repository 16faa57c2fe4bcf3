"""Damaged files that once ended their reader, made anew from the seeds of the long proof."""

from pathlib import Path

import pytest

from analytics.errors import SchemaError
from analytics.logs import intake
from analytics.logs.meaning.answers import Answers
from analytics.logs.store import Store
from tests.soak.mutants import mutant

# What was wrong: 170 a footer, 787 times beyond the year 9999 in a tool's records, 868 and 1448 bytes that
# Arrow reads and DuckDB does not.
ONCE = [("parquet", 170), ("parquet", 787), ("parquet", 868), ("parquet", 1448)]


@pytest.mark.parametrize(("kind", "number"), ONCE)
def test_a_file_that_ended_its_reader_is_read_or_refused_in_words(
    kind: str, number: int, store: Store, tmp_path: Path
) -> None:
    damaged = mutant(kind, number)
    path = tmp_path / damaged.name
    path.write_bytes(damaged.data)
    said = ""
    try:
        (report,) = intake.load(store, "log", [path], Answers())
    except SchemaError as refused:
        said = str(refused)
    else:
        assert report.read == report.loaded + report.rejected + report.duplicates
    assert "its reader stopped" not in said
