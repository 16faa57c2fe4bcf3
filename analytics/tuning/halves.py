"""The two halves of a log: one picks, the other reports; by a hash of the user, or by time.

Cut by time, the hash stays within each half: folds 0-9 are the requests before the cut by their fold modulo
10, folds 10-19 those from it on, so all that works on folds works on either. A user's requests may then stand
on both sides of the cut, in folds f and 10 + f: spreads between users are over ``unit_fold``.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import duckdb
import polars as pl

from analytics.errors import InsufficientDataError
from analytics.logs.schema import FOLDS, PICK_FOLDS, REPORT_FOLDS

Holdout = Literal["hash", "time"]

HALF = FOLDS // 2
PICKED_ON, REPORTED_ON, ALL_ROWS = "folds 0-9", "folds 10-19", "all rows"
_WINDOW = "($since IS NULL OR ts >= $since) AND ($until IS NULL OR ts < $until)"
# With few distinct times the middle one may be the first: then the second one cuts.
_CUT = f"""
    WITH times AS (SELECT ts FROM query_table(['decisions', $source], true) WHERE {_WINDOW}),
    ends AS (
        SELECT min(ts) AS first, quantile_disc(ts, 0.5) AS middle, count(*) AS n, count(ts) AS known
        FROM times)
    SELECT n, known,
        CASE WHEN middle > first THEN middle ELSE (SELECT min(ts) FROM times WHERE ts > first) END
    FROM ends"""  # noqa: S608 - our own names only


@dataclass(frozen=True, slots=True)
class Rows:
    """Which rows a policy was picked on, and which its figures come from.

    Attributes:
        folds: Of the figures; None for all.
        picked_on: The rows that chose, as the file says it.
        reported_on: The rows of the figures, as the file says it.
    """

    folds: tuple[int, ...] | None
    picked_on: str
    reported_on: str


def half_time(
    cursor: duckdb.DuckDBPyConnection,
    source: str,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
) -> datetime:
    """The time that cuts a log into two halves: requests before it pick, those from it on report.

    Args:
        cursor: A cursor of its own for this call.
        source: A dataset's table.
        since: First moment that counts, UTC; None for no limit.
        until: First moment that no longer counts, UTC; None for no limit.

    Raises:
        InsufficientDataError: Some request has no time, or all have the same.
    """
    found = cursor.execute(_CUT, {"source": source, "since": since, "until": until}).fetchone()
    n, known, cut = found or (0, 0, None)
    if known < n:
        raise InsufficientDataError(
            f"Holding out the second half of the period needs the time of every request, and {n - known:,} "
            f"of {n:,} have none. Map a column to ts, or hold out by users instead."
        )
    if not isinstance(cut, datetime):
        raise InsufficientDataError(
            "Holding out the second half of the period needs requests at different times, and all of these "
            "have the same. Hold out by users instead."
        )
    return cut


def rows(figures_on: tuple[int, ...] | None, cut: datetime | None) -> Rows:
    """The rows of an estimate, or of a certified policy.

    Args:
        figures_on: Folds of a certified policy's figures, () for all; None for an estimate, which is picked
            on one half and reported on the other.
        cut: Where time divides the halves; None where a hash does.
    """
    first, second = _labels(cut)
    if figures_on is None:
        return Rows(REPORT_FOLDS, first, second)
    return reported(cut)[{PICK_FOLDS: first, REPORT_FOLDS: second}.get(figures_on, ALL_ROWS)]


def reported(cut: datetime | None) -> dict[str, Rows]:
    """The rows that figures may be of, by what a file says that they are."""
    first, second = _labels(cut)
    return {
        second: Rows(REPORT_FOLDS, first, second),
        first: Rows(PICK_FOLDS, first, first),
        ALL_ROWS: Rows(None, ALL_ROWS, ALL_ROWS),
    }


def note(cut: datetime | None) -> tuple[str, ...]:
    """That time divides the halves, as a note; none where a hash does."""
    if cut is None:
        return ()
    at = f"{cut:%Y-%m-%d %H:%M} UTC"
    return (f"Picked on requests before {at}; every figure is of those from then on.",)


def _labels(cut: datetime | None) -> tuple[str, str]:
    if cut is None:
        return PICKED_ON, REPORTED_ON
    at = written(cut)
    return f"first half of the period, before {at}", f"second half of the period, from {at}"


def written(cut: datetime) -> str:
    """A cut as files carry it: ISO 8601 in UTC."""
    aware = cut if cut.tzinfo else cut.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read(text: object) -> datetime | None:
    """A cut from a file, naive UTC; None where it is no time."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def unit_fold(cut: datetime | None) -> pl.Expr:
    """The part of a log that a user's requests are in, all of them: for spreads between users."""
    return pl.col("fold") if cut is None else pl.col("fold") % HALF
