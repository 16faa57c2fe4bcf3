"""What one can take away from an experiment, and what its figures rest on."""

from typing import TYPE_CHECKING

import streamlit as st

from analytics.experiments import saying
from dashboard import experiments_data, state, words
from dashboard.experiment_controls import UNNAMED, Question

if TYPE_CHECKING:
    from analytics.experiments.comparison import Comparison
    from analytics.experiments.study import Study

BY_ASSIGNMENT = "A request counts for the arm that it was assigned to, whatever route it took."
OF_USERS = "Users were assigned; a user's requests count together, so intervals allow for users who return."
OF_REQUESTS = "Requests were assigned one by one."
COSTS = (
    "Of the calls that serving took: fast and strong where escalated, and the router's. Shadow calls are "
    "left out."
)


def actions(found: "Study", compared: "Comparison", question: Question) -> None:
    """The report, and the winner's thresholds as those in force."""
    from analytics.experiments.report import report  # noqa: PLC0415 - for a click

    chosen = state.required()
    sha = state.log(chosen).facts.log_sha256
    with st.container(horizontal=True, gap="small"):
        for ending, form, mime in (("html", "html", "text/html"), ("md", "markdown", "text/markdown")):
            st.download_button(
                f"Report ({'HTML' if form == 'html' else 'Markdown'})",
                data=lambda form=form: report(found, log_sha256=sha)[form].encode(),  # type: ignore[misc]
                file_name=f"tiertune-experiment.{ending}",
                mime=mime,
                key=f"report-{ending}",
                on_click="ignore",
                icon=":material/download:",
            )
        arms = (compared.treatment, compared.control)
        for arm in arms if found.reading.sums is None else ():
            thresholds = experiments_data.winner_thresholds(question.experiment, arm)
            if thresholds:
                st.button(
                    f"Put {words.plain(arm, limit=30)} in force",
                    key=f"in-force-{arm == compared.treatment}",
                    icon=":material/task_alt:",
                    help="The Thresholds page then measures from this arm's thresholds, for this session.",
                    on_click=state.put_in_force,
                    args=(chosen.dataset, thresholds, f"{arm} of {question.experiment or UNNAMED}"),
                )
    if chosen.in_force:
        st.page_link(
            "views/thresholds.py",
            label="See what the thresholds in force cost and get right",
            icon=":material/tune:",
        )


def evidence(found: "Study") -> list[tuple[str, str]]:
    """What the figures rest on."""
    whom = OF_USERS if found.reading.assigned.unit == "unit" else OF_REQUESTS
    facts = [("Compared by assignment", f"{BY_ASSIGNMENT} {whom}"), ("Costs", COSTS)]
    if found.answer is not None:
        facts.insert(0, ("Risk", words.plain(found.answer.risk, limit=400)))
    if found.comparison is not None:
        compared = found.comparison
        methods = [
            f"{saying.TITLES[metric].lower()}: {entry.reason or entry.effect.method}"
            for metric, entry in compared.effects.items()
        ]
        facts.append(("Intervals and tests", f"{words.plain('; '.join(methods), limit=900)}."))
        chances = [
            (name, value)
            for name, value in (("more accurate", compared.better), ("cheaper", compared.cheaper))
            if value is not None
        ]
        if chances:
            text = words.joined([f"{name} {_chance(value)}" for name, value in chances])
            facts.append(("Probability that the treatment is", f"{text} (uniform or flat prior)."))
        if compared.ranks is not None:
            sooner = words.percent(compared.ranks.sooner, digits=0)
            text = (
                f"A request of the treatment takes less time than one of the control with a chance of "
                f"{sooner}; a typical difference is {saying.seconds(compared.ranks.shift, plus=True)}."
            )
            facts.append(("Latency", text))
    return facts


def _chance(value: float) -> str:
    if value > 0.999:  # noqa: PLR2004 - three nines say it
        return "over 99.9%"
    return "under 0.1%" if value < 0.001 else words.percent(value)  # noqa: PLR2004
