"""Fixtures of the flat dialects, their records by the standard library, and what a dialect makes of one."""

import csv
import json

import pyarrow.parquet as pq
from trace_files import FIXTURES

from analytics.logs.dialects import (
    flat_batches,
    flat_gateways,
    flat_inferences,
    flat_runs,
    flat_traces,
    flat_weave,
)
from analytics.logs.dialects.dialect import Nested

FLAT = FIXTURES / "flat"
OURS = tuple(
    one
    for module in (flat_gateways, flat_batches, flat_inferences, flat_runs, flat_traces, flat_weave)
    for one in module.DIALECTS
)


def records(path):
    """The records of a file, by the standard library."""
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    document = json.loads(path.read_text())
    return next(iter(document.values()))


def opened(name, record):
    """Rows and reasons that a tool's dialect gives of one record."""
    [tool] = [one for one in OURS if one.name == name]
    return [item.item if isinstance(item, Nested) else item for item in tool.opened(record)]
