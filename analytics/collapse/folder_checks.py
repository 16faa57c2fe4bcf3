"""What is asked of the files of a folder before they count: columns, faults, requests that stand twice."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb

from analytics.errors import SchemaError
from analytics.logs.meaning.in_place import InPlace
from analytics.logs.reading.staging import shown
from analytics.logs.storage import folders
from analytics.logs.storage.arrivals import Arrival
from analytics.logs.storage.folders import FILENAME, Folder, Place

_NAMED = 3


def require_columns(cursor: duckdb.DuckDBPyConnection, found: Folder, news: Sequence[Place]) -> None:
    """Refuse new files that lack a column that is read, or have another type in it."""
    needed = {name for sources in found.mapping.columns.values() for name in sources}
    try:
        described = cursor.execute(
            f"DESCRIBE SELECT * FROM {folders.source(found.path, news)}"  # noqa: S608 - paths are quoted
        ).fetchall()
    except duckdb.Error:
        raise SchemaError(
            "The new files do not fit together: a column has several types, or one is no Parquet file. "
            "Nothing was changed."
        ) from None
    types = {str(row[0]): str(row[1]) for row in described}
    lacking = sorted(needed - types.keys())
    other = sorted(name for name in needed & types.keys() if types[name] != found.types.get(name))
    if lacking or other:
        told = [f"no column {shown(name)}" for name in lacking[:_NAMED]]
        told += [f"{shown(name)} is {types[name].lower()}" for name in other[:_NAMED]]
        raise SchemaError(
            f"The new files are unlike those before: {', '.join(told)}. Nothing was changed. Open the folder "
            "again with what they mean (--map), or take them out of it."
        )


def counted(
    cursor: duckdb.DuckDBPyConnection, found: Folder, read: InPlace, news: Sequence[Place]
) -> tuple[list[Place], list[Arrival]]:
    """The new files with the period of their rows, and their entries in the ledger."""
    source = folders.source(found.path, news)
    ts = read.columns.get("ts", "CAST(NULL AS TIMESTAMP)")
    wrong = " OR ".join(f"coalesce({text}, false)" for text in read.faults.values())
    confidence = read.columns.get("confidence", "NULL")
    held = [f'"{name}"' for name in found.mapping.columns.get("confidence", ())]
    lost = f"coalesce({', '.join(held)}) IS NOT NULL AND ({confidence}) IS NULL" if held else "false"
    rows = cursor.execute(
        f"""SELECT "{FILENAME}", count(*), count(*) FILTER ({wrong}),
                count(*) FILTER (NOT ({wrong}) AND {lost}),
                min({ts}) FILTER (NOT ({wrong})), max({ts}) FILTER (NOT ({wrong}))
            FROM {source} GROUP BY 1"""  # noqa: S608 - names and paths are quoted
    ).fetchall()
    by_path = {str(Path(row[0]).relative_to(found.path)): row[1:] for row in rows}
    timed, arrivals = [], []
    for place in sorted(news, key=lambda one: one.path):
        total, rejected, set_null, first, last = by_path.get(place.path, (0, 0, 0, None, None))
        timed.append(replace(place, first_ts=first, last_ts=last))
        arrivals.append(
            Arrival(
                typed=found.path / place.path,
                form="cells",
                file_id=place.file_id,
                name=place.path,
                format="parquet",
                read=total,
                rejected=rejected,
                confidence_set_null=set_null,
                mapping=found.mapping.to_json(),
                answers=found.answers,
                notes=read.notes,
            )
        )
    return timed, arrivals


def reasons(
    cursor: duckdb.DuckDBPyConnection, found: Folder, read: InPlace, news: Sequence[Place]
) -> tuple[tuple[str, int], ...]:
    """Why rows of the new files are left out, each reason with its rows."""
    counted = ", ".join(f"count(*) FILTER ({text})" for text in read.faults.values())
    (counts,) = cursor.execute(
        f"SELECT {counted} FROM {folders.source(found.path, news)}"  # noqa: S608 - paths are quoted
    ).fetchall()
    return tuple((reason, count) for reason, count in zip(read.faults, counts, strict=True) if count)


def overlapping(news: Sequence[Place], kept: Sequence[Place]) -> list[list[Place]]:
    """Groups of files whose periods overlap and that have a new one; without times all do."""
    files = [*news, *kept]
    timed = [(one.first_ts, one.last_ts, one) for one in files if one.first_ts and one.last_ts]
    if len(timed) < len(files):
        return [files]
    fresh = {place.file_id for place in news}
    groups: list[list[Place]] = []
    until = datetime.min  # noqa: DTZ901 - naive UTC, as stored
    for first, last, place in sorted(timed, key=lambda item: (*item[:2], item[2].path)):
        if not groups or first > until:
            groups.append([])
        groups[-1].append(place)
        until = max(until, last)
    return [group for group in groups if any(place.file_id in fresh for place in group)]


def new_requests(
    cursor: duckdb.DuckDBPyConnection,
    found: Folder,
    read: InPlace,
    group: Sequence[Place],
    *,
    news: Sequence[Place],
    sound: bool,
) -> tuple[int, bool]:
    """How many requests the new files of a group add, and whether some of theirs are in earlier files too.

    Args:
        cursor: A cursor of its own for this call.
        found: The folder.
        read: How its rows are read.
        group: Files whose periods overlap, see ``overlapping``.
        news: The new files.
        sound: Whether no row of any file is left out.

    Raises:
        SchemaError: Some row has the request id and models of another.
    """
    fresh = {place.file_id for place in news}

    def requests(files: Iterable[Place], key: str) -> tuple[int, int]:
        listed = list(files)
        if not listed:
            return 0, 0
        rows = read.rows(folders.source(found.path, listed), sound=sound)
        (found_counts,) = cursor.execute(
            f"SELECT count(*), count(DISTINCT hash({key})) FROM ({rows})"  # noqa: S608 - our own names only
        ).fetchall()
        return int(found_counts[0]), int(found_counts[1])

    rows, distinct = requests(group, "request_id")
    if rows != distinct:
        pairs = requests(group, "request_id, fast_model, strong_model")[1]
        if pairs != rows:
            names = ", ".join(shown(place.path) for place in itertools.islice(group, _NAMED))
            more = f" and {len(group) - _NAMED} more" if len(group) > _NAMED else ""
            raise SchemaError(
                f"{rows - pairs:,} rows repeat the request id and models of another, in {names}{more}. A log "
                "that stays where it is cannot leave them out: remove them there, or load it, which keeps "
                "the first of each: tiertune load. Nothing was changed."
            )
    old = [place for place in group if place.file_id not in fresh]
    before = requests(old, "request_id")[1]
    new = [place for place in group if place.file_id in fresh]
    spread = bool(old) and rows != distinct and before + requests(new, "request_id")[1] != distinct
    return distinct - before, spread


def several_pairs(
    cursor: duckdb.DuckDBPyConnection, found: Folder, read: InPlace, news: Sequence[Place], *, sound: bool
) -> bool:
    """Whether a model stands in several pairs, so that one call of it may be on several rows."""
    rows = read.rows(folders.source(found.path, news), sound=sound)
    pairs = cursor.execute(f"SELECT DISTINCT fast_model, strong_model FROM ({rows})").fetchall()  # noqa: S608
    models = [model for pair in pairs for model in pair if model is not None]
    return len(models) > len(set(models))
