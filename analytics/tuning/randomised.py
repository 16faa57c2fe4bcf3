"""Which requests were escalated at random with a logged probability, and whether that can be used."""

from collections.abc import Sequence

import polars as pl

LEAST_ROWS = 30
ERRORS_OF_ONE = 4.0
ERRORS_OF_ALL = 3.0
_BINNING = 1e-4
"""More than 100 distinct probabilities are binned by 1%, which leaves this much of a weight."""


def explored() -> pl.Expr:
    """Whether a row's action was drawn with a logged probability below 1."""
    return (pl.col("escalated").is_not_null() & (pl.col("propensity") < 1)).fill_null(value=False)


def _weight(route: str) -> pl.Expr:
    """1 / probability that the row is taken there."""
    q = pl.col("propensity")
    taken = pl.col("escalated") if route == "esc" else ~pl.col("escalated")
    return 1 / pl.when(taken).then(q).otherwise(1 - q)


def usability(cells: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """How random escalations of each category can be used.

    Args:
        cells: Cells with ``graded`` (any grade) beside their keys and sums.
        keys: What a category is told apart by.

    Returns:
        ``keys`` with ``explored_n`` (requests routed at random), ``one_arm`` (their fast answer is graded
        only where it was served), ``explored`` and ``explored_cost`` (grades, costs can be weighted),
        ``explored_weight`` (largest weight) and ``exploration_reason`` (null where nothing is wrong).
    """
    x, n = explored(), pl.col("n")
    sent, predictive = pl.col("escalated"), pl.col("policy_kind") == "predictive"
    priced_strong = pl.col("strong_cost_known") & (predictive | pl.col("fast_cost_known"))

    def total(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
        return pl.when(condition.fill_null(value=False)).then(value).otherwise(0.0).sum()

    columns = {"explored_n": total(x, n)}
    for route, taken, grade, cost in (
        ("esc", sent, "strong_graded", priced_strong),
        ("keep", ~sent, "fast_graded", pl.col("fast_cost_known")),
    ):
        weight = _weight(route)
        for name, seen in (("", taken), ("cost_", taken & cost)):
            columns[f"{route}_{name}w"] = total(x & seen, n * weight)
        columns[f"{route}_var"] = total(x, n * (weight - 1))
        columns[f"{route}_most"] = pl.when(x).then(weight).otherwise(1.0).max()
        columns[f"{route}_seen"] = total(x & taken & pl.col("graded") & pl.col(grade), n)
    columns["half_seen"] = total(x & pl.col("graded") & ~pl.col("fast_graded"), n)
    columns["esc_priced"] = total(x & sent & priced_strong, n)
    columns["unpriced"] = total(x & ~pl.col("strong_cost_known"), n)
    columns["cost_predictive"] = (x & predictive).any()
    table = cells.group_by(keys).agg(*(expression.alias(name) for name, expression in columns.items()))
    return table.with_columns((pl.col("half_seen") > 0).alias("one_arm")).select(
        *keys, "explored_n", "one_arm", *_verdicts()
    )


def _verdicts() -> list[pl.Expr]:
    some = pl.col("explored_n") > 0
    honest = _fits("esc", "") & _fits("keep", "")
    # Where every fast grade is known only the strong answers are weighted.
    scarcest = pl.when("one_arm").then(pl.min_horizontal("esc_seen", "keep_seen")).otherwise("esc_seen")
    enough = scarcest >= LEAST_ROWS
    usable = some & honest & enough
    priced = _fits("esc", "cost_") & (~pl.col("cost_predictive") | _fits("keep", "cost_"))
    reason = (
        pl.when(~some | usable)
        .then(None)
        .when(~honest)
        .then(
            pl.format(
                "The logged propensities do not fit how often requests were escalated: weighted by "
                "1 / propensity, escalated requests stand for {} and kept ones for {} of the {} that were "
                "routed at random. It must be the probability of the action taken.",
                *(pl.col(name).round().cast(pl.Int64) for name in ("esc_w", "keep_w", "explored_n")),
            )
        )
        .otherwise(
            pl.format(
                "Only {} graded requests of one route were sent there at random, fewer than the {} that an "
                "estimate needs.",
                scarcest.cast(pl.Int64),
                pl.lit(LEAST_ROWS),
            )
        )
    )
    return [
        usable.alias("explored"),
        (some & honest & (pl.col("esc_priced") >= LEAST_ROWS) & priced & (pl.col("unpriced") > 0)).alias(
            "explored_cost"
        ),
        # Also of single answers: with a few heavy ones all right, one wrong is what their spread cannot see.
        pl.when("one_arm")
        .then(pl.max_horizontal("esc_most", "keep_most"))
        .otherwise("esc_most")
        .alias("explored_weight"),
        reason.alias("exploration_reason"),
    ]


def _fits(route: str, kind: str) -> pl.Expr:
    """Whether weights add up to the requests, in each category and over all of them together."""
    off, n = pl.col(f"{route}_{kind}w") - pl.col("explored_n"), pl.col("explored_n")
    variance = pl.col(f"{route}_var")
    one = off.abs() <= ERRORS_OF_ONE * variance.sqrt() + _BINNING * n
    return one & (off.sum().abs() <= ERRORS_OF_ALL * variance.sum().sqrt() + _BINNING * n.sum())
