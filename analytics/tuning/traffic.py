"""Categories weighed by their requests where they were graded at different rates."""

import polars as pl

_SUMS = ("keep_sum", "keep_gap", "esc_sum", "esc_gap", "gain_sum", "oracle_sum", "esc_floor",
         "keep_ceiling", "keep_w", "esc_w", "oracle_gap")  # fmt: skip
_SQUARES = ("keep_sq", "esc_sq", "gain_sq", "keep_w2", "esc_w2", "keep_reach", "esc_reach")


def graded_by_traffic(rows: pl.DataFrame) -> pl.DataFrame:
    """Contributions in which each category's graded requests stand for all of its requests.

    Args:
        rows: Contributions of several categories, see ``identification.contributions``.

    Returns:
        The same with sums over grades scaled so that they still add up over ``n`` graded requests; as they
        were where all categories were graded at one rate. A category without grades stays without.
    """
    sizes = rows.group_by("task_category").agg(pl.col("n", "rows").sum()).filter(pl.col("n") > 0)
    if sizes.height < 2:  # noqa: PLR2004 - one category has no mix
        return rows
    n, traffic = sizes["n"].to_numpy(), sizes["rows"].to_numpy()
    factor = traffic / n * (n.sum() / traffic.sum())
    if abs(factor - 1).max() < 1e-12:  # noqa: PLR2004 - rounding
        return rows
    table = pl.DataFrame({"task_category": sizes["task_category"], "factor": factor})
    scaled = rows.join(table, on="task_category", how="left").with_columns(pl.col("factor").fill_null(1.0))
    return scaled.with_columns(
        *(pl.col(name) * pl.col("factor") for name in _SUMS if name in rows.columns),
        *(pl.col(name) * pl.col("factor") ** 2 for name in _SQUARES if name in rows.columns),
    ).drop("factor")
