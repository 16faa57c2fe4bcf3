"""The ladder of a dataset: which model is fast and which is strong, per category, and on what evidence.

Models occur together in a request, or a person says so. The order is by mean logged cost per call in
those requests, else by list price, else by the order of the calls. A call that failed in a request which
was answered after all counts for nothing here: it was retried, or another model was the fallback.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise
from typing import NamedTuple

import duckdb

from analytics.errors import SchemaError
from analytics.logs.schema import Form
from analytics.logs.storage import tables

LABEL = """CASE WHEN effort IS NULL OR effort = '' OR ends_with(model, '@' || effort) THEN model
    ELSE model || '@' || effort END"""
"""A model's label carries its effort, in ``calls``."""

_CALLS = f"(SELECT *, {LABEL} AS label FROM {tables.CALLS})"  # noqa: S608 - our own names only

_FAILED = "coalesce(status IN ('error', 'timeout'), false)"
_COUNTED = f"""(SELECT * FROM (
        SELECT *, {_FAILED} AS failed, bool_or(NOT {_FAILED}) OVER (PARTITION BY request_id) AS answered
        FROM {_CALLS})
    WHERE NOT (failed AND answered))"""  # noqa: S608

_MODEL_SETS = f"""
    SELECT category, labels, count(*) FROM (
        SELECT min(task_category) AS category, list_sort(list_distinct(list(label))) AS labels
        FROM {_COUNTED} GROUP BY request_id)
    GROUP BY category, labels ORDER BY category NULLS LAST, labels"""  # noqa: S608

_EVIDENCE = f"""
    WITH called AS (
        SELECT label, cost_usd, min(label) OVER request <> max(label) OVER request AS several,
            rank() OVER (PARTITION BY request_id ORDER BY call_index, ts) AS turn
        FROM {_COUNTED} WINDOW request AS (PARTITION BY request_id))
    SELECT label, avg(cost_usd) FILTER (several), avg(cost_usd), avg(turn), list_price
    FROM called LEFT JOIN (
        SELECT model, (3 * input_usd_per_1m + output_usd_per_1m) / 4 AS list_price
        FROM models WHERE dataset = $dataset) ON model = label
    GROUP BY label, list_price"""  # noqa: S608


_NAMED = """
    SELECT task_category, fast_model, strong_model,
        row_number() OVER (PARTITION BY task_category ORDER BY fast_model, strong_model) - 1
    FROM (SELECT DISTINCT task_category, fast_model, strong_model FROM {0})
    ORDER BY task_category NULLS LAST, 4"""
_LOGGED: dict[Form, str] = {
    "decisions": _NAMED.format(
        f"""(SELECT task_category, fast_model, strong_model FROM {tables.DECISIONS}
             WHERE $added IS NULL OR file_id = $added
             UNION ALL SELECT task_category, fast_model, strong_model FROM ladder
             WHERE dataset = $dataset AND $added IS NOT NULL)"""  # noqa: S608
    ),
    "cells": _NAMED.format(f"{tables.CELLS} WHERE part = 'sweep'"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One step of a ladder.

    Attributes:
        task_category: Where it holds; None: uncategorised requests and every category without its own.
        fast_model: Label of the model that answers first.
        strong_model: Label of the model that a request is escalated to.
        position: Order within the category, from 0.
    """

    task_category: str | None
    fast_model: str
    strong_model: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class Ladder:
    """The pairs of a dataset.

    Attributes:
        pairs: By category and position.
        confirmed: False where no request has two models and nobody has said which is strong yet.
        reason: One sentence on where the pairs come from.
    """

    pairs: tuple[Pair, ...]
    confirmed: bool
    reason: str

    def of(self, task_category: str | None) -> tuple[Pair, ...]:
        """The pairs that hold in a category: its own, else those without a category."""
        own = tuple(pair for pair in self.pairs if pair.task_category == task_category)
        return own or tuple(pair for pair in self.pairs if pair.task_category is None)


class _Model(NamedTuple):
    """What orders a model: mean costs per call in USD, mean turn in its requests, blended list price."""

    paired_cost: float | None
    cost: float | None
    turn: float
    list_price: float | None


class _Called(NamedTuple):
    """Models that ``requests`` requests of a category called together."""

    category: str | None
    labels: tuple[str, ...]
    requests: int


def ladder(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Ladder:
    """The ladder in use, as stored with the dataset."""
    pairs = cursor.execute(
        """SELECT task_category, fast_model, strong_model, position FROM ladder WHERE dataset = $dataset
           ORDER BY task_category NULLS LAST, position, fast_model, strong_model""",
        {"dataset": dataset},
    ).fetchall()
    state = cursor.execute(
        """SELECT coalesce(ladder_confirmed, false), coalesce(ladder_reason, '')
           FROM datasets WHERE name = $dataset""",
        {"dataset": dataset},
    ).fetchone()
    confirmed, reason = state or (False, "")
    return Ladder(tuple(Pair(*row) for row in pairs), bool(confirmed), str(reason))


def refresh_ladder(
    cursor: duckdb.DuckDBPyConnection, dataset: str, form: Form, *, added: str | None = None
) -> None:
    """Store the ladder that the rows imply; pairs set by hand stay and get company for new categories.

    Args:
        cursor: Inside a transaction.
        dataset: Name of the dataset.
        form: Its form.
        added: The file of decisions that is all that is new; None: anything may be.
    """
    if form in _LOGGED:
        _store(cursor, dataset, _logged_ladder(cursor, dataset, form, added=added), by_hand=False)
        return
    proposed = proposed_ladder(cursor, dataset)
    hand = cursor.execute(
        "SELECT coalesce(ladder_by_hand, false) FROM datasets WHERE name = $dataset", {"dataset": dataset}
    ).fetchone()
    if not hand or not hand[0]:
        _store(cursor, dataset, proposed, by_hand=False)
        return
    held = ladder(cursor, dataset)
    missing = tuple(pair for pair in proposed.pairs if not held.of(pair.task_category))
    if missing:
        confirmed = held.confirmed and proposed.confirmed
        reason = "Set by hand; categories that came later were added as proposed."
        _store(cursor, dataset, Ladder(held.pairs + missing, confirmed, reason), by_hand=True)


def confirm_ladder(cursor: duckdb.DuckDBPyConnection, dataset: str, pairs: Iterable[Pair]) -> None:
    """Store pairs that a person chose.

    Raises:
        SchemaError: A pair has one model twice, or its fast model was never called.
    """
    chosen = tuple(dict.fromkeys(pairs))
    labels = f"SELECT DISTINCT label FROM {_CALLS}"  # noqa: S608 - our own names only
    calls = tables.of(cursor, dataset, "calls")
    called = {row[0] for row in cursor.execute(labels, {"calls": calls}).fetchall()}
    found = ", ".join(sorted(called))
    if not chosen:
        raise SchemaError(f"A ladder needs a pair of models, for example FAST>STRONG. Found: {found}.")
    for pair in chosen:
        if pair.fast_model == pair.strong_model:
            raise SchemaError(f"The pair {pair.fast_model} > {pair.strong_model} has the same model twice.")
        if pair.fast_model not in called:
            raise SchemaError(f"No request called the fast model {pair.fast_model}. Found: {found}.")
    _store(cursor, dataset, Ladder(chosen, confirmed=True, reason="Set by hand."), by_hand=True)


def proposed_ladder(cursor: duckdb.DuckDBPyConnection, dataset: str) -> Ladder:
    """The ladder that the calls of a dataset imply.

    A request with several models gives the steps between neighbours in the order of cost. A category
    without such requests takes over the steps of the others that have a model of its own. Where no
    request at all has two models, the steps lie between the models of each category and are not
    confirmed.
    """
    calls = tables.of(cursor, dataset, "calls")
    called = [
        _Called(category, tuple(labels), int(requests))
        for category, labels, requests in cursor.execute(_MODEL_SETS, {"calls": calls}).fetchall()
    ]
    models = {
        label: _Model(*figures)
        for label, *figures in cursor.execute(_EVIDENCE, {"dataset": dataset, "calls": calls}).fetchall()
    }
    order = _ordered(models)
    together = [found for found in called if len(found.labels) > 1]
    if not together:
        return _unconfirmed(called, order)
    steps = _steps_by_category(together, order)
    everywhere = sorted({step for found in steps.values() for step in found})
    confirmed = True
    for category, labels in _models_by_category(called).items():
        if category not in steps:
            taken = [step for step in everywhere if labels & {order[step[0]], order[step[1]]}]
            between = _neighbours(labels, order)
            confirmed = confirmed and bool(taken or not between)
            steps[category] = set(taken or between)
    requests = sum(found.requests for found in together)
    reason = f"Taken from {requests:,} requests in which two models occur, cheaper model first."
    if not confirmed:
        reason += " In some categories no request has two models: confirm their pairs."
    return Ladder(_pairs(steps, order), confirmed, reason)


def _unconfirmed(called: list[_Called], order: list[str]) -> Ladder:
    by_category = _models_by_category(called)
    steps = {category: _neighbours(labels, order) for category, labels in by_category.items()}
    everywhere = sorted({step for found in steps.values() for step in found})
    if not everywhere:
        everywhere = sorted(_neighbours(set(order), order))
    for category, labels in by_category.items():
        if not steps[category]:
            steps[category] = {step for step in everywhere if labels & {order[step[0]], order[step[1]]}}
    if not everywhere:
        return Ladder((), confirmed=False, reason="This log has one model only: nothing to escalate to.")
    reason = "No request has two models. Proposed from each category's models, cheaper first: confirm it."
    return Ladder(_pairs(steps, order), confirmed=False, reason=reason)


def _ordered(models: dict[str, _Model]) -> list[str]:
    """Labels, cheapest first; each two are compared by the best evidence that both have."""

    def compared(a: str, b: str) -> int:
        first, second = models[a], models[b]
        for one, other in (
            (first.paired_cost, second.paired_cost),
            (first.cost, second.cost),
            (first.list_price, second.list_price),
            (first.turn, second.turn),
        ):
            if one is not None and other is not None and one != other:
                return -1 if one < other else 1
        return -1 if a < b else 1

    return sorted(sorted(models), key=cmp_to_key(compared))


def _neighbours(labels: Iterable[str], order: list[str]) -> set[tuple[int, int]]:
    """Steps between neighbours among ``labels``, as positions in ``order``."""
    places = sorted(order.index(label) for label in labels)
    return set(pairwise(places))


def _steps_by_category(called: list[_Called], order: list[str]) -> dict[str | None, set[tuple[int, int]]]:
    steps: dict[str | None, set[tuple[int, int]]] = {}
    for found in called:
        steps.setdefault(found.category, set()).update(_neighbours(found.labels, order))
    return steps


def _models_by_category(called: list[_Called]) -> dict[str | None, set[str]]:
    models: dict[str | None, set[str]] = {}
    for found in called:
        models.setdefault(found.category, set()).update(found.labels)
    return models


def _pairs(steps: dict[str | None, set[tuple[int, int]]], order: list[str]) -> tuple[Pair, ...]:
    return tuple(
        Pair(category, order[fast], order[strong], position)
        for category in sorted(steps, key=lambda name: (name is None, name or ""))
        for position, (fast, strong) in enumerate(sorted(steps[category]))
    )


def _logged_ladder(
    cursor: duckdb.DuckDBPyConnection, dataset: str, form: Form, *, added: str | None
) -> Ladder:
    asked: dict[str, str | None] = {form: tables.of(cursor, dataset, form)}
    if form == "decisions":
        asked |= {"dataset": dataset, "added": added}
    rows = cursor.execute(_LOGGED[form], asked).fetchall()
    return Ladder(
        tuple(Pair(*row) for row in rows), confirmed=True, reason="The log names both models itself."
    )


def _store(cursor: duckdb.DuckDBPyConnection, dataset: str, found: Ladder, *, by_hand: bool) -> None:
    cursor.execute("DELETE FROM ladder WHERE dataset = $dataset", {"dataset": dataset})
    if found.pairs:
        cursor.executemany(
            "INSERT INTO ladder VALUES (?, ?, ?, ?, ?)",
            [(dataset, p.task_category, p.fast_model, p.strong_model, p.position) for p in found.pairs],
        )
    cursor.execute(
        """UPDATE datasets SET ladder_confirmed = $confirmed, ladder_by_hand = $by_hand,
               ladder_reason = $reason
           WHERE name = $dataset""",
        {"confirmed": found.confirmed, "by_hand": by_hand, "reason": found.reason, "dataset": dataset},
    )
