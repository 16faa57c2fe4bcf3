"""How many users a log has, from sketches that merge: users come back, so their numbers do not add up.

Of every source the users with the smallest hashes are kept with their requests, as many as ``MOST``, and
those who make much of its requests. Up to that many users the count is exact; beyond, the share of the hash
space that the smallest ones take says how many there are, to 1.6% (one standard deviation).

References:
    Bar-Yossef et al. (2002), Counting distinct elements in a data stream; Beyer et al. (2007), SIGMOD.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

from analytics.logs.storage import tables
from analytics.logs.storage.tables import Kept

MOST = 4096
LARGE_SHARE = 0.01
_BITS = 60

PART = "units"
SELECT = f"""
    WITH unit AS MATERIALIZED (
        SELECT ('0x' || md5(unit_id)[1:15])::BIGINT AS bin, count(*) AS n
        FROM {{log}} WHERE unit_id IS NOT NULL GROUP BY unit_id)
    SELECT * FROM (SELECT 'smallest' AS route, bin, n FROM unit ORDER BY bin LIMIT {MOST})
    UNION ALL
    SELECT 'large' AS route, bin, n FROM unit
    WHERE n >= {LARGE_SHARE} * (SELECT sum(n) FROM unit)"""  # noqa: S608 - our own names only
"""The sketch of one source: route, bin (the hash) and n (requests)."""

# Beyond the last hash of a source that is full, nothing is known of it.
_KNOWN = f"""
    WITH sketch AS (SELECT * FROM {{cells}} WHERE part = '{PART}'),
    known AS (
        SELECT min(CASE WHEN size >= {MOST} THEN last END) AS until FROM (
            SELECT file_id, count(*) AS size, max(bin) AS last
            FROM sketch WHERE route = 'smallest' GROUP BY file_id)),
    smallest AS (
        SELECT bin, sum(n) AS n FROM sketch CROSS JOIN known
        WHERE route = 'smallest' AND (until IS NULL OR bin <= until) GROUP BY bin),
    large AS (SELECT bin, sum(n) AS n FROM sketch WHERE route = 'large' GROUP BY bin)"""  # noqa: S608
MERGED_SKETCH = f"""{_KNOWN}
    SELECT * FROM (SELECT 'smallest' AS route, bin, n FROM smallest ORDER BY bin LIMIT {MOST})
    UNION ALL SELECT 'large' AS route, bin, n FROM large"""  # noqa: S608
"""The sketch of all sources in ``{cells}``: full, and so beyond its last hash unknown, if one of them is."""
_COUNTED = f"""{_KNOWN.format(cells=tables.CELLS)}
    SELECT (SELECT count(*) FROM sketch), (SELECT until FROM known), (SELECT count(*) FROM smallest),
        greatest((SELECT max(n) FROM smallest), (SELECT max(n) FROM large))"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Units:
    """The users of a log.

    Attributes:
        count: How many; None where no request names one.
        largest: Requests of the one who has most, as far as the sources show it; None without users.
    """

    count: int | None
    largest: int | None


def units(cursor: duckdb.DuckDBPyConnection, kept: Kept, log: dict[str, Any]) -> Units:
    """The users of a dataset.

    Without sketches, as in a cells file, users add up: no two sources may share one.

    Args:
        cursor: A cursor of its own for this call.
        kept: The dataset's cells.
        log: Row of its part ``log``.
    """
    if not log["unit_rows"]:
        return Units(None, None)
    ((sketched, until, found, largest),) = cursor.execute(_COUNTED, {"cells": kept.cells}).fetchall()
    if not sketched:
        return Units(log["units"], log["largest_unit"])
    count = found if until is None else round((found - 1) / ((until + 1) / 2**_BITS))
    return Units(count, max(largest or 0, log["largest_unit"] or 0) or None)
