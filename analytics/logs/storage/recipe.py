"""What a database consists of, without its rows: files, mappings, ladders, tiers, names.

It is written beside the database at every change. With the kept files it is enough to build the database
again, and it shows at the next start whether anything that was acknowledged is missing.
"""

import json
import os
from dataclasses import dataclass, field
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
    """

    key: int
    name: str
    form: str
    badge: str | None = None
    files: list[FileRecipe] = field(default_factory=list)
    pairs: list[Pair] | None = None
    tiers: dict[str, str] = field(default_factory=dict)
    graders: list[str] | None = None
    pricing: str | None = None


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
        """The datasets with the files that ``other`` lacks; those that lack none are left out."""
        held = {dataset.key: {file.file_id for file in dataset.files} for dataset in other.datasets}
        found = []
        for dataset in self.datasets:
            files = [file for file in dataset.files if file.file_id not in held.get(dataset.key, set())]
            if files:
                found.append(_with_files(dataset, files))
        return found

    def with_missing(self, missing: list[DatasetRecipe]) -> "Recipe":
        """This recipe and the files that are still to be built again."""
        datasets = {dataset.key: dataset for dataset in self.datasets}
        for lost in missing:
            held = datasets.get(lost.key)
            files = [*held.files, *lost.files] if held else lost.files
            datasets[lost.key] = _with_files(held or lost, files)
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


def written(recipe: Recipe, path: Path) -> None:
    """Write a recipe so that the old one is there until the new one is complete."""
    fresh = path.with_name(f"{path.name}.new")
    text = json.dumps({"layout": _LAYOUT, "recipe": json.loads(staging.dumps(recipe))}, ensure_ascii=False)
    with open(fresh, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def read(path: Path) -> Recipe | None:
    """The recipe in a file; None where there is none that can be read."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found: Recipe = staging.restored(Recipe, document["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found


def _with_files(dataset: DatasetRecipe, files: list[FileRecipe]) -> DatasetRecipe:
    return DatasetRecipe(
        dataset.key, dataset.name, dataset.form, dataset.badge, files, dataset.pairs, dataset.tiers,
        dataset.graders, dataset.pricing,
    )  # fmt: skip
