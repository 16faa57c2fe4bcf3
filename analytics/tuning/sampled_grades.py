"""Grades that were drawn: which of a category's grades may stand for all of its requests.

Grades that were drawn with one probability stand for the category as they are. Beside them, grades that the
log happened to have would count some kinds of requests more often than others, so they are left out; and
grades drawn with several probabilities, which would have to be weighted by them, are left out as a whole.
"""

import polars as pl

from analytics.tuning.identification import GROUP

SAME = 1.01
"""Probabilities that differ by no more than this factor are one: rounding of a sheet."""

_OF_GRADES = (
    "fast_correct_sum", "fast_correct_sq", "strong_correct_sum", "strong_correct_sq", "correct_x",
    "fast_correct_x_cost", "strong_correct_x_cost", "strong_correct_x_fast_cost", "gain_sum", "gain_n",
    "gain_cost_sum", "gain_latency_sum", "rounded_fast", "rounded_strong", "rounded_both",
)  # fmt: skip


def standing_grades(cells: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The cells with only such grades as stand for all requests of their category.

    Where every request of a category is graded, or none was drawn, all of them do.

    Args:
        cells: Cells of a log with ``grade_probability``.

    Returns:
        The cells (``grade_probability`` null where it does not matter), and a sentence on each kind of
        grades that were left out.
    """
    drawn, graded = pl.col("grade_probability"), pl.col("fast_graded") | pl.col("strong_graded")
    if cells["grade_probability"].null_count() == cells.height:
        return cells, ()
    of_drawn = drawn.filter(graded & drawn.is_not_null())
    table = cells.group_by(GROUP).agg(
        pl.col("n").filter(~graded).sum().alias("ungraded"),
        pl.col("n").filter(graded & drawn.is_null()).sum().alias("found"),
        of_drawn.min().alias("least"),
        of_drawn.max().alias("most"),
    )
    sampled = (pl.col("ungraded") > 0) & pl.col("least").is_not_null()
    table = table.with_columns(
        sampled.alias("sampled"), (sampled & (pl.col("most") > SAME * pl.col("least"))).alias("uneven")
    ).sort(GROUP)
    frame = cells.join(table, on=GROUP, how="left", nulls_equal=True)
    dropped = pl.col("sampled") & (pl.col("uneven") | drawn.is_null())
    kept = frame.with_columns(
        *((pl.col(name) & ~dropped).alias(name) for name in ("fast_graded", "strong_graded")),
        *(
            pl.when(dropped).then(0).otherwise(pl.col(name)).cast(cells.schema[name]).alias(name)
            for name in _OF_GRADES
        ),
        pl.when(pl.col("sampled") & ~dropped).then(pl.col("least")).alias("grade_probability"),
    ).select(cells.columns)
    return kept, tuple(_notes(table))


def _notes(table: pl.DataFrame) -> list[str]:
    notes = [
        f"The grades of {row['task_category']} are left out: they were drawn with probabilities from "
        f"{row['least']:.2g} to {row['most']:.2g}, and estimates need one. Take the smaller file of grades "
        "back, or draw one sheet of both sizes (tiertune grading-sheet)."
        for row in table.filter("uneven").iter_rows(named=True)
    ]
    found = table.filter(pl.col("sampled") & ~pl.col("uneven"))["found"].sum()
    if found:
        notes.append(
            f"{found:,} grades of requests outside the drawn sample are left out, since they do not stand "
            "for all requests as drawn ones do."
        )
    return notes
