"""The tab on requests that escalation made worse: counts with their test, and the rows themselves."""

from typing import TYPE_CHECKING, Any

import polars as pl
import streamlit as st

from analytics.errors import TiertuneError
from dashboard import components, studies, words
from dashboard.downloads import downloads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analytics.tuning.regressions import Regressions

SHOWN, HEIGHT = 50, 400
NONE = "No request has both answers graded, so nobody knows what escalation mended or made worse."
READ = (
    "*Mended*: only the strong answer is right. *Made worse*: only the fast answer is right. p is that of "
    "the exact McNemar test that both are equally likely."
)
SAMPLED = (
    " Strong answers of kept requests are a sample here, so counts are of the requests observed, not shares "
    "of the traffic."
)


def worse_tab(category: str) -> None:
    """Draw the tab.

    Args:
        category: The category that the page shows, whose rows are listed.
    """
    found = studies.regressions()
    whole = found[0]
    if not whole.pairs:
        components.caption(NONE)
        return
    components.caption(sentence(whole))
    components.table(
        frame(found[1:]),
        {
            "category": components.text_column("Category", 180),
            "pairs": components.number_column("Both graded", 110),
            "mended": components.number_column("Mended", 100),
            "worsened": components.number_column("Made worse", 110),
            "net": components.points_column("Net gain", 100),
            "p": components.text_column("p", 90, right=True),
        },
        key="worsened",
        alt="What escalating mends and makes worse in every category.",
        file="tiertune-regressions",
    )
    components.caption(READ + (SAMPLED if whole.sampled else ""))
    components.section(f"Requests made worse in {words.plain(category, limit=40)}")
    try:
        rows = studies.worsened(category)
    except TiertuneError as error:
        components.explain(error)
        return
    if rows.is_empty():
        components.caption("There is none.")
        return
    more = f", {SHOWN} of {words.count(rows.height)} shown" if rows.height > SHOWN else ""
    components.caption(f"The most confident first{more}; the downloads have all of up to 1,000.")
    known = [name for name in rows.columns if rows[name].null_count() < rows.height]
    st.dataframe(
        rows.select(known).head(SHOWN),
        hide_index=True,
        height=HEIGHT,
        key="worsened-rows",
        column_config={"confidence": st.column_config.NumberColumn(format="%.3f")},
    )
    downloads(rows.select(known), file="tiertune-made-worse", key="worsened-rows")


def sentence(whole: "Regressions") -> str:
    """What escalating did to all pairs, in one sentence."""
    share = words.percent(whole.worsened / whole.pairs)
    text = (
        f"Of {words.count(whole.pairs)} requests with both answers graded, escalating mends "
        f"**{words.count(whole.mended)}** and makes **{words.count(whole.worsened)}** worse ({share})."
    )
    if whole.p_value is None:
        return text
    if whole.p_value >= 0.05:  # noqa: PLR2004 - the usual level, said as chance
        return f"{text} That could be chance."
    return text if whole.mended > whole.worsened else f"{text} It harms more than it helps."


def frame(found: "Sequence[Regressions]") -> pl.DataFrame:
    """``category``, ``pairs``, ``mended``, ``worsened``, ``net`` (points) and ``p`` (text) of each."""
    records: list[dict[str, Any]] = [
        {
            "category": item.task_category,
            "pairs": item.pairs,
            "mended": item.mended,
            "worsened": item.worsened,
            "net": (item.mended - item.worsened) / item.pairs * words.POINT if item.pairs else None,
            "p": _p(item.p_value),
        }
        for item in found
    ]
    return pl.DataFrame(records, schema=FRAME)


FRAME: dict[str, Any] = {
    "category": pl.String, "pairs": pl.Int64, "mended": pl.Int64, "worsened": pl.Int64, "net": pl.Float64,
    "p": pl.String,
}  # fmt: skip


def _p(value: float | None) -> str | None:
    if value is None:
        return None
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 - as tables have it
