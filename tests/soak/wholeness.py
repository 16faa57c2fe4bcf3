"""What a database must hold after whatever happened to it, said by a plain model, and what it holds."""

import stat
from collections.abc import Iterable
from pathlib import Path

from analytics.logs.storage import tables
from analytics.logs.storage.recipe import RecipeFile
from analytics.logs.store import Store
from tests.soak import stock
from tests.soak.stock import Stocked

Held = dict[str, list[str]]
"""Dataset -> names of its files, in order."""

BESIDE = ("", ".lock", ".recipe.json", ".files", ".work", ".wal")


def faults(store: Store, path: Path, allowed: Iterable[Held], files: list[Stocked]) -> list[str]:
    """What is wrong with an open database; empty where all is well.

    Args:
        store: The database.
        path: Where it lies.
        allowed: What it may hold: the states before and after what was cut off.
        files: All files that could have been loaded.
    """
    found = []
    by_id = {one.file_id: one for one in files}
    held = {
        dataset.name: [by_id[file.file_id].name for file in dataset.files]
        for dataset in store.recipe().datasets
    }
    if held not in list(allowed):
        found.append(f"holds {held}, allowed were {list(allowed)}")
    if store.missing():
        found.append(f"misses {[lost.name for lost in store.missing()]}")
    for dataset, names in held.items():
        found += _rows(store, dataset, [one for one in files if one.name in names])
    found += _kept(store, path, by_id)
    found += _beside(path)
    return found


def _rows(store: Store, dataset: str, files: list[Stocked]) -> list[str]:
    """Each file is wholly there, and what follows from the rows follows from these."""
    expected, requests = 0, 0
    for family in {one.family for one in files}:
        ids = {at for one in files if one.family == family for at in range(*one.ids)}
        if ids:
            expected += stock.rows(family, min(ids), max(ids) + 1)
            requests += len(ids)
    with store.cursor() as cursor:
        named = {form: tables.of(cursor, dataset, form) for form in ("calls", "decisions", "grades")}

        def counted(form: str, what: str) -> tuple[int, ...]:
            query = f"SELECT {what} FROM query_table($table)"
            return cursor.execute(query, {"table": named[form]}).fetchone() or ()

        got = (
            counted("calls", "count(*), count(DISTINCT (request_id, model)), count(DISTINCT file_id)"),
            counted("decisions", "count(*), count(DISTINCT request_id)"),
            counted("grades", "count(*)"),
        )
        ledger = cursor.execute(
            "SELECT coalesce(sum(loaded) FILTER (form <> 'grades'), 0) FROM files WHERE dataset = ?",
            [dataset],
        ).fetchone()
    grades = sum(one.arrival["read"] for one in files if one.name == stock.GRADES)
    logs = len([one for one in files if one.name != stock.GRADES])
    wanted = ((expected, expected, logs), (requests, requests), (grades,))
    if got != wanted or ledger != (expected,):
        return [f"{dataset} has {got}, ledger {ledger}; {[one.name for one in files]} give {wanted}"]
    return []


def _kept(store: Store, path: Path, by_id: dict[str, Stocked]) -> list[str]:
    """The recipe on the disk is the database's, and just its files are kept, whole."""
    recipe = store.recipe()
    folder = path.with_name(f"{path.name}.files")
    kept = {file.name: file for file in folder.iterdir()} if folder.is_dir() else {}
    found = []
    if RecipeFile(path.with_name(f"{path.name}.recipe.json")).read() != recipe:
        found.append("the recipe on the disk is not the database's")
    if set(kept) != recipe.file_ids():
        lacking = [by_id[one].name for one in recipe.file_ids() - set(kept)]
        found.append(f"kept files: {lacking} lack, {len(set(kept) - recipe.file_ids())} too many")
    found += [f"{name} is not what was kept" for name, at in kept.items() if stock.content_sha256(at) != name]
    return found


def _beside(path: Path) -> list[str]:
    """Nothing else lies beside the database, and nobody else may read any of it."""
    beside = {one.name for one in path.parent.glob(f"*{path.name}*")}
    more = beside - {f"{path.name}{ending}" for ending in BESIDE}
    open_to_others = [one.name for one in path.parent.rglob("*") if stat.S_IMODE(one.lstat().st_mode) & 0o077]
    staged = list(path.with_name(f"{path.name}.work").glob("staging/*"))
    return [
        *([f"left behind: {sorted(more)}"] if more else []),
        *([f"others may read {open_to_others[:5]}"] if open_to_others else []),
        *([f"{len(staged)} things are left in staging"] if staged else []),
    ]
