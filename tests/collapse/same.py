"""Whether two datasets say the same: one from rows of its own, the other from cells."""

from dataclasses import replace

import polars as pl
from polars.testing import assert_frame_equal

from analytics.logs.store import Store
from analytics.measure.tiers import GROUPINGS, tier_table
from analytics.measure.timeline import timeline
from analytics.tuning.log import Log, read_log

LATENCIES = ("latency_p50_s", "latency_p95_s")


def require_same_log(store: Store, rows: str, cells: str) -> tuple[Log, Log]:
    """Both logs, equal in everything that pages read of them."""
    ours, theirs = read_log(store, rows), read_log(store, cells)
    for name in ("cells", "latency", "dearest"):
        expected, found = getattr(ours, name), getattr(theirs, name)
        found = found.with_columns(pl.col(pl.Categorical).cast(pl.String))
        assert_frame_equal(expected, found.select(expected.columns), check_row_order=False, rel_tol=1e-12)
    same = ("categories", "pairs", "arms", "experiments", "confidence_kinds", "first_ts", "last_ts")
    for name in (*same, "requests", "rows", "units", "largest_unit"):
        assert getattr(theirs.facts, name) == getattr(ours.facts, name), name
    left_out = ("name", "form", "files", "badge", "version")
    catalogue = store.datasets().rows_by_key("name", named=True, unique=True)
    for name, value in catalogue[rows].items():
        if name not in left_out:
            assert catalogue[cells][name] == value, name
    return ours, replace(theirs, name=ours.name)


def require_same_tiers(store: Store, rows: str, cells: str) -> None:
    """Equal sums by every grouping; percentiles are looked at elsewhere, since bins round them."""
    for by in GROUPINGS:
        with store.cursor() as cursor:
            expected = tier_table(cursor, rows, by=by)
        with store.cursor() as cursor:
            found = tier_table(cursor, cells, by=by)
        assert_frame_equal(
            expected.drop(LATENCIES), found.select(expected.columns).drop(LATENCIES), rel_tol=1e-12
        )
    ends = read_log(store, rows).facts
    if ends.first_ts is None or ends.last_ts is None:
        return
    period = {"first": ends.first_ts.date(), "last": ends.last_ts.date()}
    with store.cursor() as cursor:
        expected = timeline(cursor, rows, **period)
    with store.cursor() as cursor:
        found = timeline(cursor, cells, **period)
    assert_frame_equal(
        expected.drop(LATENCIES),
        found.select(expected.columns).drop(LATENCIES),
        rel_tol=1e-9,
        check_row_order=False,
    )
