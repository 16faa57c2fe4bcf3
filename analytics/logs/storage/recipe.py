"""What a database consists of, without its rows: files, mappings, ladders, tiers, names.

It is written beside the database at every change. With the kept files it is enough to build the database
again, and it shows at the next start whether anything that was acknowledged is missing.
"""

import contextlib
import json
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import duckdb

from analytics.logs.rates import Override
from analytics.logs.reading import staging
from analytics.logs.storage.ladder import Pair
from analytics.logs.storage.overrides import overrides

_LAYOUT = 1


@dataclass(frozen=True, slots=True)
class FileRecipe:
    """One loaded file.

    Attributes:
        file_id: SHA-256 of its decompressed content.
        name: As uploaded.
        format: csv, jsonl, json or parquet.
        form: Table that its rows are for.
        mapping: JSON text of the confirmed mapping.
        answers: JSON text of what else the user said.
        loaded: Rows that it gave.
    """

    file_id: str
    name: str
    format: str
    form: str
    mapping: str
    answers: str
    loaded: int


@dataclass(frozen=True, slots=True)
class PriceRecipe:
    """A price set by hand.

    Attributes:
        usd_per_1m: By class, of those that were set.
        set_at: When, in ISO format, UTC.
    """

    usd_per_1m: dict[str, float]
    set_at: str | None = None

    @staticmethod
    def of(stated: Override) -> "PriceRecipe":
        """As it is written down."""
        return PriceRecipe(stated.given(), stated.set_at.isoformat() if stated.set_at else None)

    def stated(self) -> Override:
        """As it is set again."""
        set_at = datetime.fromisoformat(self.set_at) if self.set_at else None
        return Override(**self.usd_per_1m, set_at=set_at)


@dataclass(frozen=True, slots=True)
class DatasetRecipe:
    """One dataset: its files in the order in which they were loaded, and what was set by hand.

    Attributes:
        key: Its number.
        name: Its name.
        form: decisions or calls.
        badge: Shown beside its name.
        files: In order.
        pairs: Of a ladder set by hand; null where it follows from the rows.
        tiers: Model -> tier, where set by hand.
        graders: Order of graders, where set by hand.
        pricing: all where prices stand in the place of logged costs.
        unfinished: Whether it is being built again, so that what was set by hand is still to be set.
    """

    key: int
    name: str
    form: str
    badge: str | None = None
    files: list[FileRecipe] = field(default_factory=list)
    pairs: list[Pair] | None = None
    tiers: dict[str, str] = field(default_factory=dict)
    graders: list[str | None] | None = None
    pricing: str | None = None
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """All datasets, and what was set by hand for all of them.

    Attributes:
        datasets: By number.
        mappings: Confirmed by hand, by the signature of the files.
        prices: Set by hand, by model.
    """

    datasets: list[DatasetRecipe] = field(default_factory=list)
    mappings: dict[str, str] = field(default_factory=dict)
    prices: dict[str, PriceRecipe] = field(default_factory=dict)

    def file_ids(self) -> set[str]:
        """Of all files."""
        return {file.file_id for dataset in self.datasets for file in dataset.files}

    def missing_from(self, other: "Recipe") -> list[DatasetRecipe]:
        """The datasets with the files that ``other`` lacks; those that lack nothing are left out."""
        held = {dataset.key: {file.file_id for file in dataset.files} for dataset in other.datasets}
        found = []
        for dataset in self.datasets:
            files = [file for file in dataset.files if file.file_id not in held.get(dataset.key, set())]
            if files or dataset.unfinished:
                found.append(replace(dataset, files=files))
        return found

    def with_missing(self, missing: list[DatasetRecipe]) -> "Recipe":
        """This recipe with what is still to be built again: files, and what had been set by hand."""
        datasets = {dataset.key: dataset for dataset in self.datasets}
        for lost in missing:
            held = datasets.get(lost.key)
            whole = lost if held is None else _together(held, lost)
            datasets[lost.key] = replace(whole, unfinished=True)
        return Recipe(list(datasets.values()), self.mappings, self.prices)


def recipe_of(cursor: duckdb.DuckDBPyConnection) -> Recipe:
    """The recipe of the database as it is."""
    datasets = []
    for key, name, form, badge, by_hand, graders, pricing in cursor.execute(
        "SELECT id, name, form, badge, ladder_by_hand, graders, pricing FROM datasets ORDER BY id"
    ).fetchall():
        files = cursor.execute(
            """SELECT file_id, name, format, coalesce(form, ?), coalesce(mapping, '{}'),
                   coalesce(answers, '{}'), coalesce(loaded, 0)
               FROM files WHERE dataset = ? ORDER BY position NULLS FIRST, loaded_at, file_id""",
            [form, name],
        ).fetchall()
        pairs = cursor.execute(
            """SELECT task_category, fast_model, strong_model, position FROM ladder WHERE dataset = ?
               ORDER BY ALL""",
            [name],
        ).fetchall()
        tiers = cursor.execute(
            "SELECT model, tier FROM models WHERE dataset = ? AND tier_source = 'hand' ORDER BY model", [name]
        ).fetchall()
        datasets.append(
            DatasetRecipe(
                key=key,
                name=name,
                form=form,
                badge=badge,
                files=[FileRecipe(*row) for row in files],
                pairs=[Pair(*row) for row in pairs] if by_hand else None,
                tiers=dict(tiers),
                graders=json.loads(graders) if graders else None,
                pricing=pricing,
            )
        )
    mappings = cursor.execute("SELECT signature, mapping FROM mappings").fetchall()
    prices = {name: PriceRecipe.of(stated) for name, stated in overrides(cursor).items()}
    return Recipe(datasets, dict(mappings), prices)


class RecipeFile:
    """The recipe on the disk, which changes at once or not at all.

    Args:
        path: Where it lies.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh, self._former = (path.with_name(f"{path.name}.{end}") for end in ("new", "old"))

    def read(self) -> Recipe | None:
        """The recipe; None where there is none that can be read."""
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            found: Recipe = staging.restored(Recipe, document["recipe"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def draft(self, recipe: Recipe) -> None:
        """Write the next recipe beside this one, so that a full disk is noticed before anything counts.

        Raises:
            OSError: The disk is full.
        """
        document = {"layout": _LAYOUT, "recipe": json.loads(staging.dumps(recipe))}
        with open(self._fresh, "w", encoding="utf-8", opener=_private) as file:
            json.dump(document, file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())

    def put(self) -> None:
        """Let the draft be the recipe."""
        self._former.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # none yet, or a disk without links: ``undo`` has nothing to do
            os.link(self._path, self._former)
        self._fresh.replace(self._path)

    def undo(self) -> None:
        """Let the recipe be what it was before the draft."""
        with contextlib.suppress(FileNotFoundError):
            self._former.replace(self._path)
        self.settle()

    def settle(self) -> None:
        """Remove what a change left beside the recipe."""
        for path in (self._fresh, self._former):
            path.unlink(missing_ok=True)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _together(held: DatasetRecipe, lost: DatasetRecipe) -> DatasetRecipe:
    """A dataset as far as it is there, and what it lacks; what was set meanwhile counts."""
    back = {file.file_id for file in held.files}
    return replace(
        held,
        files=[*held.files, *(file for file in lost.files if file.file_id not in back)],
        pairs=lost.pairs if held.pairs is None else held.pairs,
        tiers={**lost.tiers, **held.tiers},
        graders=lost.graders if held.graders is None else held.graders,
        pricing=lost.pricing if held.pricing is None else held.pricing,
    )
