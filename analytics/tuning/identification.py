"""What a log can tell about each request, decided row by row from what was observed.

A request whose fast answer is kept needs a graded fast answer; an escalated one needs a graded strong
answer. Where the strong answer of a kept request was not observed there is a band, unless a share of
such requests has a shadow answer with known probability, or requests were escalated at random with a
logged probability: then difference and doubly robust estimators apply (``exploration``).

References:
    Manski (1990), AER P&P 80; Horvitz & Thompson (1952), JASA 47; Kish (1965), Survey Sampling.
"""

from typing import Literal

import polars as pl

from analytics.tuning.exploration import with_exploration
from analytics.tuning.randomised import explored, usability

Estimator = Literal[
    "paired", "cascade", "shadow_difference", "exploration_difference", "doubly_robust", "bounds", "ungraded"
]
Missing = Literal["escalate", "keep", "exclude"]

GROUP = ("task_category", "fast_model", "strong_model", "policy_kind")
EXPLORATION = ("explored_n", "one_arm", "explored", "explored_cost")
LEAST_SHADOW_ROWS = 30
MOST_SELECTIVE_GRADING = 0.05
# One category of many may be off by chance; all of them together may not.
PROPENSITY_ERRORS_OF_ONE = 4.0
PROPENSITY_ERRORS_OF_ALL = 3.0
CHANCE_ERRORS = 3.0

# What a row contributes if its fast answer is kept, if it is escalated, and under the two controls.
CONTRIBUTIONS = (
    "rows", "n", "pairs", "fast_right", "fast_wrong", "ungraded",
    "keep_sum", "keep_sq", "keep_gap", "esc_sum", "esc_sq", "esc_gap", "gain_sum", "gain_sq",
    "keep_cost_n", "keep_cost_sum", "keep_cost_sq", "esc_cost_n", "esc_cost_sum", "esc_cost_sq",
    "esc_cost_gap", "fast_cost_n", "fast_cost_sum", "fast_cost_sq",
    "strong_cost_n", "strong_cost_sum", "strong_cost_sq",
    "oracle_sum", "oracle_cost_n", "oracle_cost_sum",
    "esc_floor", "keep_ceiling", "gap_cost_n", "gap_cost_sum", "harmed",
)  # fmt: skip


def _sum(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(pl.col("n")).otherwise(0).sum()


def regimes(cells: pl.DataFrame) -> pl.DataFrame:
    """How each category and pair was observed, and so which estimator applies.

    Args:
        cells: Cells of a log.

    Returns:
        One row per ``GROUP`` with ``rows``, ``graded_rows``, ``estimator``, ``shadow`` (strong grades
        of kept requests can be weighted by their probability), ``shadow_cost`` (the same for costs),
        ``selective`` (grades are missing more often on one route than on the other), ``shadow_rows``
        ``shadow_reason`` (why shadow answers or random escalations cannot be used; null where they can or
        there are none), ``weight`` (the largest weight of a row, 1 where none is weighted), and what
        ``exploration.usability`` says of random escalations.
    """
    frame = cells.with_columns(_kept().alias("kept"), _graded().alias("graded"))
    weight = 1 / pl.col("sampling_probability")
    known = pl.col("sampling_probability").is_not_null()
    tested = []
    for name, seen, population in (
        ("grade", "strong_graded", pl.col("kept") & pl.col("graded")),
        ("cost", "strong_cost_known", pl.col("kept")),
    ):
        shadow = population & pl.col(seen)
        tested += [
            _sum(population).alias(f"{name}_kept"),
            _sum(shadow).alias(f"{name}_seen"),
            _sum(shadow & ~known).alias(f"{name}_unknown"),
            pl.when(shadow & known).then(pl.col("n") * weight).otherwise(0).sum().alias(f"{name}_w"),
            pl.when(shadow & known).then(pl.col("n") * weight**2).otherwise(0).sum().alias(f"{name}_w2"),
            pl.when(shadow & known)
            .then(pl.col("n") * (1 - pl.col("sampling_probability")) * weight**2)
            .otherwise(0)
            .sum()
            .alias(f"{name}_var"),
        ]
    table = frame.group_by(GROUP).agg(
        pl.col("n").sum().alias("rows"),
        _sum(pl.col("graded")).alias("graded_rows"),
        _sum(pl.col("kept")).alias("kept_rows"),
        _sum(pl.col("kept") & pl.col("graded")).alias("kept_graded"),
        _sum(pl.col("graded") & ~(pl.col("fast_graded") & pl.col("strong_graded"))).alias("half_seen"),
        _sum(pl.col("graded") & ~pl.col("kept") & ~pl.col("fast_graded")).alias("escalated_fast_unseen"),
        *_routes(),
        pl.col("sampling_probability").filter(pl.col("kept") & pl.col("strong_graded")).min().alias("least"),
        *tested,
    )
    table = table.join(usability(frame, GROUP), on=GROUP, how="left", nulls_equal=True)
    table = table.with_columns(_selective(), *_usable("grade"), *_usable("cost"))
    # Shadow answers serve whatever the routes were; weights would not mend grades that favour one.
    better = pl.col("selective") | (pl.col("half_seen") == 0) | pl.col("grade_usable")
    table = table.with_columns(pl.col("explored") & ~better, pl.col("explored_cost") & ~pl.col("cost_usable"))
    return table.with_columns(
        _estimator().alias("estimator"),
        pl.col("grade_usable").alias("shadow"),
        pl.col("cost_usable").alias("shadow_cost"),
        pl.col("grade_seen").alias("shadow_rows"),
        pl.when("grade_usable")
        .then(1 / pl.col("least"))
        .when("explored")
        .then("explored_weight")
        .otherwise(1.0)
        .alias("weight"),
        pl.coalesce(
            _shadow_reason(), pl.when(~pl.col("grade_usable")).then(pl.col("exploration_reason"))
        ).alias("shadow_reason"),
    ).select(
        *GROUP, "rows", "graded_rows", "estimator", "shadow", "shadow_cost", "selective", "shadow_rows",
        "shadow_reason", "weight", *EXPLORATION,
    )  # fmt: skip


def _kept() -> pl.Expr:
    """Whether the fast answer was served; where the route was not logged, a sampled row was kept."""
    seen = pl.col("strong_graded") | pl.col("strong_cost_known")
    sampled = (pl.col("sampling_probability") < 1).fill_null(value=False)
    return pl.coalesce(~pl.col("escalated"), ~seen | sampled)


def _graded() -> pl.Expr:
    return pl.col("fast_graded") | pl.col("strong_graded")


def _routes() -> list[pl.Expr]:
    """Requests and graded requests by logged route."""
    return [
        _sum(condition & seen).alias(name)
        for route, condition in (("kept", ~pl.col("escalated")), ("sent", pl.col("escalated")))
        for name, seen in ((f"{route}_logged", pl.lit(value=True)), (f"{route}_known", pl.col("graded")))
    ]


def _selective() -> pl.Expr:
    """Whether leaving ungraded requests out would favour one route, by more than chance."""
    kept, sent = (pl.col(f"{name}_known") / pl.col(f"{name}_logged") for name in ("kept", "sent"))
    known = pl.col("kept_known") + pl.col("sent_known")
    share = known / (pl.col("kept_logged") + pl.col("sent_logged"))
    error = (share * (1 - share) * (1 / pl.col("kept_logged") + 1 / pl.col("sent_logged"))).sqrt()
    difference = (kept - sent).abs()
    differs = (difference > MOST_SELECTIVE_GRADING) & (difference > CHANCE_ERRORS * error)
    both = (
        (pl.col("kept_logged") > 0) & (pl.col("sent_logged") > 0) & (pl.col("graded_rows") < pl.col("rows"))
    )
    return (both & differs).fill_null(value=False).alias("selective")


def _usable(name: str) -> tuple[pl.Expr, ...]:
    """Whether sampled strong answers of kept requests can be weighted by their logged probability.

    The weights must add up to the number of kept requests, in each category and over all of them (else
    the probabilities are wrong, or answers were lost), and their effective number must be large enough
    for a standard error to mean anything.
    """
    kept, seen = pl.col(f"{name}_kept"), pl.col(f"{name}_seen")
    weights, squares, variance = pl.col(f"{name}_w"), pl.col(f"{name}_w2"), pl.col(f"{name}_var")
    sampled = (seen > 0) & (seen < kept) & (pl.col(f"{name}_unknown") == 0)

    def fits(off: pl.Expr, spread: pl.Expr, size: pl.Expr, errors: float) -> pl.Expr:
        return off.abs() <= errors * spread.sqrt() + 1e-6 * size

    one = fits(weights - kept, variance, kept, PROPENSITY_ERRORS_OF_ONE)
    off, spread, size = (column.filter(sampled).sum() for column in (weights - kept, variance, kept))
    honest = one & fits(off, spread, size, PROPENSITY_ERRORS_OF_ALL)
    enough = weights**2 >= LEAST_SHADOW_ROWS * squares
    return (
        (sampled & honest & enough).alias(f"{name}_usable"),
        honest.alias(f"{name}_honest"),
        enough.alias(f"{name}_enough"),
    )


def _shadow_reason() -> pl.Expr:
    sampled = (pl.col("grade_seen") > 0) & (pl.col("grade_seen") < pl.col("grade_kept"))
    return (
        pl.when(pl.col("grade_usable") | ~sampled)
        .then(None)
        .when(pl.col("grade_unknown") > 0)
        .then(pl.lit("Some kept requests have a strong answer, but not with which probability it was taken."))
        .when(~pl.col("grade_enough"))
        .then(
            pl.format(
                "Only {} kept requests have a shadow answer, fewer than the {} that an estimate needs.",
                pl.col("grade_seen"),
                pl.lit(LEAST_SHADOW_ROWS),
            )
        )
        .otherwise(pl.lit("The logged sampling probabilities do not fit how many shadow answers there are."))
    )


def _estimator() -> pl.Expr:
    return (
        pl.when(pl.col("graded_rows") == 0)
        .then(pl.lit("ungraded"))
        .when(pl.col("selective"))
        .then(pl.lit("bounds"))
        .when(pl.col("half_seen") == 0)
        .then(pl.lit("paired"))
        .when(pl.col("grade_usable"))
        .then(pl.lit("shadow_difference"))
        .when("explored")
        .then(pl.when("one_arm").then(pl.lit("doubly_robust")).otherwise(pl.lit("exploration_difference")))
        .when(pl.col("escalated_fast_unseen") == 0)
        .then(pl.lit("cascade"))
        .otherwise(pl.lit("bounds"))
    )


def contributions(cells: pl.DataFrame, observed: pl.DataFrame | None = None) -> pl.DataFrame:
    """What each cell adds to accuracy and cost if kept, if escalated, and under the controls.

    Args:
        cells: Cells of a log.
        observed: Their ``regimes``, if known already.

    Returns:
        The cells' keys and ``CONTRIBUTIONS``. ``n`` counts the requests that accuracy is about; a
        ``gap`` counts those whose outcome on that route is unknown; sums run over the others. With a
        shadow share, ``esc_sum`` is the sum of y_f + (e / p)(y_s - y_f). Requests without any grade
        are left out of accuracy and counted in ``ungraded``, unless grading favours one route. A cost
        ``n`` counts rows on which all costs of that route are known, ``esc_cost_gap`` those on which the
        strong model was never called. ``esc_floor`` and ``keep_ceiling`` are what unknown outcomes add and
        take if the strong model is never worse; ``harmed`` counts the pairs in which it was. With requests
        routed at random also the columns of ``exploration.with_exploration``.
    """
    table = (regimes(cells) if observed is None else observed).select(
        *GROUP, "shadow", "shadow_cost", "selective", *EXPLORATION
    )
    frame = cells.join(table, on=GROUP, how="left", nulls_equal=True).with_columns(
        _kept().alias("kept"),
        _graded().alias("graded"),
        pl.col("escalated").fill_null(value=False),
        pl.when(pl.col("escalated").is_not_null()).then(pl.col("propensity")).alias("propensity"),
    )
    sampled = pl.col("kept") & pl.col("shadow")
    weight = pl.when(sampled).then(1 / pl.col("sampling_probability")).otherwise(1.0)
    frame = frame.with_columns(
        pl.when(sampled & ~pl.col("strong_graded")).then(0.0).otherwise(weight).alias("w"),
        pl.when(pl.col("kept") & pl.col("shadow_cost"))
        .then(pl.when("strong_cost_known").then(1 / pl.col("sampling_probability")).otherwise(0.0))
        .otherwise(1.0)
        .alias("wc"),
        (pl.col("graded") | pl.col("selective")).alias("counted"),
    )
    found = frame.select(*KEPT_KEYS, *_counts(), *_accuracy(), *_costs())
    random = frame.select((explored() & (pl.col("explored") | pl.col("explored_cost"))).any()).item()
    return with_exploration(found, frame, GROUP) if random else found


KEPT_KEYS = (*GROUP, "fold", "confidence")


def _only(condition: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(value).otherwise(0.0)


def _counts() -> list[pl.Expr]:
    n, pair = pl.col("n"), pl.col("fast_graded") & pl.col("strong_graded")
    return [
        n.alias("rows"),
        _only(pl.col("counted"), n).alias("n"),
        _only(pair, n).alias("pairs"),
        _only(pl.col("fast_graded"), pl.col("fast_correct_sum")).alias("fast_right"),
        _only(pl.col("fast_graded"), n - pl.col("fast_correct_sum")).alias("fast_wrong"),
        _only(~pl.col("graded"), n).alias("ungraded"),
        _only(pair, pl.col("fast_correct_sum") - pl.col("correct_x")).alias("harmed"),
    ]


def _accuracy() -> list[pl.Expr]:
    n, w = pl.col("n"), pl.col("w")
    fast, strong, sampled = pl.col("fast_graded"), pl.col("strong_graded"), pl.col("kept") & pl.col("shadow")
    yf, ys = pl.col("fast_correct_sum"), pl.col("strong_correct_sum")
    yf2, ys2, yx = pl.col("fast_correct_sq"), pl.col("strong_correct_sq"), pl.col("correct_x")
    counted, both = pl.col("counted"), fast & strong
    # What the oracle costs is known where every cost that it may need is.
    priced = counted & pl.col("fast_cost_known") & (pl.col("strong_cost_known") | ~both)
    # A sampled row needs its fast grade (the difference is taken from it); any other only the strong one.
    known = pl.when(sampled).then(fast).otherwise(strong)
    d2 = ys2 - 2 * yx + yf2
    weighted = yf + w * (ys - yf)
    weighted_sq = yf2 + 2 * w * (yx - yf2) + w * w * d2
    esc = pl.when(sampled).then(pl.when(strong).then(weighted).otherwise(yf)).otherwise(ys)
    esc_sq = pl.when(sampled).then(pl.when(strong).then(weighted_sq).otherwise(yf2)).otherwise(ys2)
    return [
        _only(fast, yf).alias("keep_sum"),
        _only(fast, yf2).alias("keep_sq"),
        _only(counted & ~fast, n).alias("keep_gap"),
        _only(known, esc).alias("esc_sum"),
        _only(known, esc_sq).alias("esc_sq"),
        _only(counted & ~known, n).alias("esc_gap"),
        _only(both, w * (ys - yf)).alias("gain_sum"),
        _only(both, w * w * d2).alias("gain_sq"),
        _only(both, w * pl.col("gain_sum")).alias("oracle_sum"),
        _only(priced, n).alias("oracle_cost_n"),
        _only(priced, pl.col("fast_cost_sum") + _only(both, w * pl.col("gain_cost_sum"))).alias(
            "oracle_cost_sum"
        ),
        _only(~known & fast, yf).alias("esc_floor"),
        _only(counted & ~fast & strong, n - ys).alias("keep_ceiling"),
    ]


def _costs() -> list[pl.Expr]:
    """Costs by route; a predictive router's own cost is added to both routes as it was logged."""
    n, wc = pl.col("n"), pl.col("wc")
    fast, strong = pl.col("fast_cost_known"), pl.col("strong_cost_known")
    predictive = pl.col("policy_kind") == "predictive"
    kf, kf2 = pl.col("fast_cost_sum"), pl.col("fast_cost_sq")
    ks, ks2, kx = pl.col("strong_cost_sum"), pl.col("strong_cost_sq"), pl.col("cost_x")
    router = pl.col("router_cost_sum")
    # Cells hold no squares of the router's cost: within a cell it counts as constant, its mean.
    router_each = router / n
    sampled = pl.col("kept") & pl.col("shadow_cost")
    strong_seen = strong | sampled
    called = strong | pl.col("strong_graded") | pl.col("escalated")
    esc_known = pl.when(predictive).then(strong_seen).otherwise(fast & strong_seen)
    esc = pl.when(predictive).then(wc * ks + router).otherwise(kf + wc * ks)
    routed_sq = wc * wc * ks2 + router_each * (2 * wc * ks + router)
    esc_sq = pl.when(predictive).then(routed_sq).otherwise(kf2 + 2 * wc * kx + wc * wc * ks2)
    return [
        _only(fast, n).alias("keep_cost_n"),
        _only(fast, kf + router).alias("keep_cost_sum"),
        _only(fast, kf2 + router_each * (2 * kf + router)).alias("keep_cost_sq"),
        _only(esc_known, n).alias("esc_cost_n"),
        _only(esc_known, esc).alias("esc_cost_sum"),
        _only(esc_known, esc_sq).alias("esc_cost_sq"),
        _only(~called & ~sampled, n).alias("esc_cost_gap"),
        _only(~called & ~sampled & (predictive | fast), n).alias("gap_cost_n"),
        _only(~called & ~sampled, pl.when(predictive).then(router).otherwise(kf)).alias("gap_cost_sum"),
        _only(fast, n).alias("fast_cost_n"),
        _only(fast, kf).alias("fast_cost_sum"),
        _only(fast, kf2).alias("fast_cost_sq"),
        _only(strong_seen, n).alias("strong_cost_n"),
        _only(strong_seen, wc * ks).alias("strong_cost_sum"),
        _only(strong_seen, wc * wc * ks2).alias("strong_cost_sq"),
    ]
