"""Which experiment is read, which of its arms, and what decides."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from dashboard import components, experiments_data, words

if TYPE_CHECKING:
    from analytics.experiments.verdict import Read
    from dashboard.experiments_data import Split

READS: "dict[Read, str]" = {"once": "Once, at its planned end", "any-time": "At any time"}
UNNAMED = "(without a name)"


@dataclass(frozen=True, slots=True)
class Question:
    """What the controls ask.

    Attributes:
        experiment: Name; None for arms without one.
        control: Arm that stays as it was.
        treatment: Arm compared with it.
        margin: Accuracy that may be lost, a share.
        value_usd: Worth of a correct answer, USD; None if not said.
        read: Once or at any time.
        split: Planned shares; None for equal ones.
    """

    experiment: str | None
    control: str
    treatment: str
    margin: float
    value_usd: float | None
    read: "Read"
    split: "Split | None"


def controls(found: pl.DataFrame) -> Question:
    """Which experiment, which arms, and what decides."""
    from analytics.experiments.comparison import control_of  # noqa: PLC0415 - scipy, off other pages' path

    names = experiments_data.names(found)
    shown = [name or UNNAMED for name in names]
    with components.row():
        picked = st.selectbox(
            "Experiment", shown, key=_known("experiment", shown), bind="query-params", width=230
        )
        experiment = names[shown.index(picked)]
        arms = found.filter(pl.col("experiment").eq_missing(pl.lit(experiment)))["arm"].to_list()
        usual = control_of(arms)
        order = [usual, *(arm for arm in arms if arm != usual)]
        control = st.selectbox("Control", order, key=_known("control", order), bind="query-params", width=150)
        others = [arm for arm in order if arm != control] or order
        treatment = st.selectbox(
            "Treatment", others, key=_known("treatment", others), bind="query-params", width=150
        )
        margin = st.number_input(
            "May lose, points",
            min_value=0.0,
            max_value=50.0,
            value=2.0,
            step=0.5,
            key="loses",
            bind="query-params",
            width=130,
            help="Accuracy that a cheaper treatment may lose: the non-inferiority margin.",
        )
        value = st.number_input(
            "A correct answer is worth, $",
            min_value=0.0,
            value=0.0,
            step=0.05,
            format="%.3f",
            key="worth",
            bind="query-params",
            width=190,
            help="With a worth, accuracy and cost become one number, which decides. 0 leaves it open.",
        )
    with components.row():
        read = st.segmented_control(
            "Read",
            list(READS),
            format_func=READS.__getitem__,
            default="once",
            required=True,
            key="read",
            bind="query-params",
            help="A test that is looked at every day and stopped once it looks good is wrong far more often "
            "than it says. At any time uses intervals that hold however often one looks.",
        )
        split = _split(order)
    return Question(experiment, control, treatment, margin / words.POINT, value or None, read, split)


def _split(arms: list[str]) -> "Split | None":
    """The planned sizes of the arms; equal unless the user says otherwise."""
    with st.popover("Planned split", icon=":material/call_split:"):
        st.caption("What the assignment was meant to be. The sample ratio is tested against it.")
        shares = [
            st.number_input(
                words.one_line(arm, limit=40), min_value=0.1, value=50.0, step=5.0, key=f"planned-{place}"
            )
            for place, arm in enumerate(arms)
        ]
    return None if len(set(shares)) == 1 else tuple(zip(arms, shares, strict=True))


def _known(key: str, options: list[str]) -> str:
    """The widget's key, its choice taken back where the options no longer have it."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    return key
