"""A log as the rest of ``tuning`` sees it, and the part of it that a question is about."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from analytics.collapse import log as of_cells
from analytics.collapse.upkeep import kept_up
from analytics.errors import TiertuneError
from analytics.estimate import Floats
from analytics.logs.schema import UNCATEGORISED
from analytics.logs.storage import tables
from analytics.logs.storage.facts import Facts, facts, in_force
from analytics.policy import PolicyKind
from analytics.tuning.bounds import dearest
from analytics.tuning.cells import KEYS, SUMS, UNIT_FIRST, cells
from analytics.tuning.halves import Holdout, half_time, unit_fold
from analytics.tuning.identification import GROUP, Missing, contributions, regimes
from analytics.tuning.latency import RouteBins, latency_cells
from analytics.tuning.randomised import explored
from analytics.tuning.sampled_grades import standing_grades
from analytics.tuning.sums import Levels, levels_by_category

if TYPE_CHECKING:
    from analytics.logs.store import Store

FEW_UNITS = 30


class AmbiguousPairError(TiertuneError):
    """A category has several model pairs, and the question is about one: name it."""

    kind = "input"


@dataclass(frozen=True, slots=True)
class Log:
    """What is needed of a log to answer every question: aggregates, no rows.

    Attributes:
        name: Dataset name.
        cells: Sufficient statistics, see ``cells``.
        latency: Latency histograms, see ``latency_cells``.
        in_force: Threshold that the log's requests were routed by, one row per category and pair.
        facts: Size, period, categories, pairs and units.
        cut: Time at which one half of the folds ends and the other begins; None where a hash divides them.
        dearest: The dearest strong call per category and pair, see ``bounds.dearest``; None if not asked.
    """

    name: str
    cells: pl.DataFrame
    latency: pl.DataFrame
    in_force: pl.DataFrame
    facts: Facts
    cut: datetime | None = None
    dearest: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """One model pair per category, one kind of policy, and the rows that count.

    Attributes:
        log: Where it was taken from.
        rows: Contributions of every cell, see ``identification.contributions``.
        cells: The cells themselves, without the keys that no question distinguishes.
        regimes: How each category was observed, see ``identification.regimes``.
        categories: Names in order; requests without a category are ``UNCATEGORISED``.
        pairs: The (fast, strong) pair of each category.
        policy_kind: ``cascade`` or ``predictive``.
        arm: The only arm of an experiment that counts; None for all requests.
        missing: What a missing confidence does.
        accuracy_inflation: Design effect of several requests per user on accuracies, at least 1.
        cost_inflation: The same for costs.
        notes: Sentences on what was left out.
        weights: The largest weight of a request in each category.
        dearest: The dearest strong call in each category, USD; categories without one are left out.
        levels: ``rows`` of each category by confidence, see ``sums.levels``.
        timed: Latency histograms of each category, filled when first asked for.
        p95_by_step: 95th percentile of latency of groups of categories, filled as they are asked for.
        fast_p95: The same for never escalating, requests without a confidence included.
        route_bins: Latencies of each category under the rules that were asked for, filled as they are.
    """

    log: Log
    rows: pl.DataFrame
    cells: pl.DataFrame
    regimes: pl.DataFrame
    categories: tuple[str, ...]
    pairs: dict[str, tuple[str, str]]
    policy_kind: PolicyKind
    arm: str | None = None
    missing: Missing = "escalate"
    accuracy_inflation: float = 1.0
    cost_inflation: float = 1.0
    notes: tuple[str, ...] = field(default=())
    weights: dict[str, float] = field(default_factory=dict)
    dearest: dict[str, float] = field(default_factory=dict)
    levels: dict[str, Levels] = field(default_factory=dict)
    timed: dict[str, pl.DataFrame] = field(default_factory=dict)
    p95_by_step: dict[tuple[str, ...], Floats | None] = field(default_factory=dict)
    fast_p95: dict[tuple[str, ...], float | None] = field(default_factory=dict)
    route_bins: dict[tuple[str, str, float | None, str], RouteBins] = field(default_factory=dict)


def read_log(
    store: "Store",
    dataset: str,
    *,
    since: date | datetime | None = None,
    until: date | datetime | None = None,
    holdout: Holdout | datetime = "hash",
) -> Log:
    """Everything that the questions about a dataset need, by a handful of aggregating queries.

    Args:
        store: The open store.
        dataset: Name of a dataset in it.
        since: First moment that counts, UTC.
        until: First moment that no longer counts, UTC.
        holdout: What divides requests that pick from those that report: a hash of the user, the middle of
            the period, or a time.

    Raises:
        InsufficientDataError: It is to be divided by time, and some request has none or all have the same.
    """
    whole = since is None and until is None and holdout == "hash"
    if whole:
        kept_up(store, dataset)
    with store.cursor() as cursor:
        kept = tables.kept_cells(cursor, dataset)
        if kept is not None and whole:
            return _from_cells(cursor, dataset, kept)
        table = tables.of(cursor, dataset, "decisions")
        found = facts(cursor, dataset, since=since, until=until)
        keys = (*KEYS, UNIT_FIRST) if found.few_units else KEYS
        cut = half_time(cursor, table, since=since, until=until) if holdout == "time" else None
        cut = holdout if isinstance(holdout, datetime) else cut
        return Log(
            name=dataset,
            cells=cells(cursor, table, since=since, until=until, cut=cut, keys=keys),
            latency=latency_cells(cursor, table, since=since, until=until),
            in_force=in_force(cursor, dataset),
            facts=found,
            cut=cut,
            dearest=dearest(cursor, table, since=since, until=until),
        )


def _from_cells(cursor: duckdb.DuckDBPyConnection, dataset: str, kept: tables.Kept) -> Log:
    """The log from its kept cells, which takes as long whatever its size."""
    swept = of_cells.sweep(cursor, kept)
    found = of_cells.facts_of(cursor, dataset, kept, swept)
    if found.few_units:
        with contextlib.suppress(tables.RowsElsewhereError):  # only the rows know each user's first request
            swept = cells(cursor, tables.of(cursor, dataset, "decisions"), keys=(*KEYS, UNIT_FIRST))
    return Log(
        name=dataset,
        cells=swept,
        latency=of_cells.part(cursor, kept, "latency"),
        in_force=of_cells.in_force(cursor, kept, swept),
        facts=found,
        dearest=of_cells.dearest(cursor, kept, swept),
    )


def with_in_force(log: Log, thresholds: Mapping[str, float]) -> Log:
    """The log with other thresholds in force, such as those that a test has confirmed since.

    Args:
        log: The log.
        thresholds: By category, ``UNCATEGORISED`` for requests without one; the log's own stay elsewhere.
    """
    if not thresholds:
        return log
    keys = ["task_category", "fast_model", "strong_model"]
    pairs = log.cells.select(keys).unique().sort(keys, nulls_last=True)
    logged = log.in_force.select(*keys, "threshold")
    name = pl.col("task_category").fill_null(UNCATEGORISED)
    table = pairs.join(logged, on=keys, how="left", nulls_equal=True).with_columns(
        pl.coalesce(
            name.replace_strict(dict(thresholds), default=None, return_dtype=pl.Float64), "threshold"
        ).alias("threshold")
    )
    return replace(log, in_force=table.drop_nulls("threshold"))


def select(
    log: Log,
    *,
    categories: Sequence[str] | None = None,
    pair: tuple[str | None, str | None] | None = None,
    arm: str | None = None,
    missing: Missing = "escalate",
) -> Selection:
    """The part of a log that a question is about.

    Args:
        log: The log.
        categories: Categories to keep; None for all.
        pair: Fast and strong model to keep, None for either; needed where a category has several pairs.
        arm: Arm to keep; None for all.
        missing: ``escalate`` (the rule), ``keep`` or ``exclude`` requests without a confidence.

    Raises:
        AmbiguousPairError: A category has several pairs; the message names them.
    """
    frame = log.cells.with_columns(pl.col("task_category").fill_null(UNCATEGORISED))
    fast, strong = pair or (None, None)
    for column, wanted in (("fast_model", fast), ("strong_model", strong), ("arm", arm)):
        if wanted is not None:
            frame = frame.filter(pl.col(column) == wanted)
    if categories is not None:
        frame = frame.filter(pl.col("task_category").is_in(list(categories)))
    if missing == "exclude":
        frame = frame.filter(pl.col("confidence").is_not_null())
    frame, notes = _one_kind(frame)
    frame, left_out = standing_grades(frame)
    observed = regimes(frame)
    frame = _without_unused_keys(frame, observed)
    pairs = _pairs(frame)
    rows = contributions(frame, observed)
    accuracy, cost = _inflation(rows, log.cut) if log.facts.clustered else (1.0, 1.0)
    return Selection(
        log=log,
        rows=rows,
        cells=frame,
        regimes=observed,
        categories=tuple(sorted(pairs)),
        pairs=pairs,
        policy_kind=frame["policy_kind"][0] if frame.height else "cascade",
        arm=arm,
        missing=missing,
        accuracy_inflation=accuracy,
        cost_inflation=cost,
        notes=(*notes, *left_out),
        weights=dict(zip(observed["task_category"], observed["weight"], strict=True)),
        dearest=_dearest(log, pairs),
        levels=levels_by_category(rows),
    )


def largest_weight(selection: Selection, names: Sequence[str]) -> float:
    """The largest weight of a request in some categories; 1 without a shadow share."""
    return max((selection.weights.get(name, 1.0) for name in names), default=1.0)


def _one_kind(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Rows of one policy kind: the two cost differently and are never mixed.

    The one with more confidences, since calls that nobody routed have none; else the more frequent one.
    """
    confident = pl.col("n").filter(pl.col("confidence").is_not_null()).sum().alias("confident")
    kinds = frame.group_by("policy_kind").agg(confident, pl.col("n").sum())
    kinds = kinds.sort("confident", "n", "policy_kind", descending=True)
    if kinds.height < 2:  # noqa: PLR2004 - there are two kinds
        return frame, ()
    kept, left = kinds["policy_kind"][0], int(kinds["n"][1:].sum())
    note = f"{left:,} requests of the other kind of policy are left out: {kept} requests only."
    return frame.filter(pl.col("policy_kind") == kept), (note,)


def _without_unused_keys(frame: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """Cells added up over the keys that no curve distinguishes; a propensity stays where it weights."""
    random = observed.filter(pl.col("explored") | pl.col("explored_cost"))["task_category"].to_list()
    used = explored() & pl.col("task_category").is_in(random)
    frame = frame.with_columns(pl.when(used).then(pl.col("propensity")).alias("propensity"))
    dropped = ("confidence_kind", "experiment", "arm")
    keys = [key for key in frame.columns if key not in SUMS and key not in dropped]
    return frame.group_by(keys).agg(pl.col(SUMS).sum())


def _pairs(frame: pl.DataFrame) -> dict[str, tuple[str, str]]:
    found = frame.select(GROUP).unique().sort(GROUP)
    pairs: dict[str, tuple[str, str]] = {}
    for category, fast, strong, _ in found.iter_rows():
        if category in pairs:
            several = found.filter(pl.col("task_category") == category)
            names = "; ".join(f"{row[1]} > {row[2]}" for row in several.iter_rows())
            raise AmbiguousPairError(
                f"Category {category} has {several.height} model pairs: {names}. "
                "Choose one with --fast and --strong."
            )
        pairs[category] = (fast, strong)
    return pairs


def _dearest(log: Log, pairs: dict[str, tuple[str, str]]) -> dict[str, float]:
    """The dearest strong call of each category's pair."""
    if log.dearest is None:
        return {}
    named = log.dearest.with_columns(pl.col("task_category").fill_null(UNCATEGORISED))
    found = {(category, fast, strong): cost for category, fast, strong, cost in named.iter_rows()}
    costs = {name: found.get((name, *pair)) for name, pair in pairs.items()}
    return {name: float(cost) for name, cost in costs.items() if cost is not None}


def _inflation(rows: pl.DataFrame, cut: datetime | None) -> tuple[float, float]:
    """Design effects of accuracy and cost, from the spread over folds, which never split a user.

    References:
        Kish (1965), Survey Sampling, chapter 5; the cluster-robust variance of a ratio over G folds is
        G / (G - 1) * sum((Y_g - R N_g)^2) / N^2.
    """
    folds = rows.group_by(unit_fold(cut)).agg(
        pl.col("n", "pairs", "gain_sum", "gain_sq").sum(),
        pl.col("keep_sum", "keep_sq", "keep_gap", "esc_sum", "esc_sq", "esc_gap").sum(),
        pl.col("fast_cost_n", "fast_cost_sum", "fast_cost_sq").sum(),
        pl.col("strong_cost_n", "strong_cost_sum", "strong_cost_sq").sum(),
        pl.col("rows").filter(pl.col("confidence").is_not_null()).sum().alias("routed_n"),
        (pl.col("rows") * pl.col("confidence")).sum().alias("routed_sum"),
        (pl.col("rows") * pl.col("confidence") ** 2).sum().alias("routed_sq"),
    )
    observed = folds.with_columns(
        (pl.col("n") - pl.col("keep_gap")).alias("keep_n"),
        (pl.col("n") - pl.col("esc_gap")).alias("esc_n"),
        pl.col("pairs").alias("gain_n"),
    )
    # A policy mixes both answers, and who is escalated: users may differ in any of them. The largest
    # effect is taken, so that an interval is too wide rather than too narrow.
    accuracy, cost = (
        max(_design_effect(observed, f"{name}_n", f"{name}_sum", f"{name}_sq") for name in names)
        for names in (("keep", "esc", "gain"), ("fast_cost", "strong_cost", "routed"))
    )
    return accuracy, cost


def _design_effect(folds: pl.DataFrame, n: str, total: str, squares: str) -> float:
    rows, groups = float(folds[n].sum()), folds.height
    if rows < FEW_UNITS or groups < 2:  # noqa: PLR2004 - a spread needs two folds
        return 1.0
    mean = float(folds[total].sum()) / rows
    naive = (float(folds[squares].sum()) / rows - mean * mean) / rows
    spread = float(((folds[total] - mean * folds[n]) ** 2).sum()) * groups / (groups - 1) / rows**2
    return max(1.0, spread / naive) if naive > 0 else 1.0
