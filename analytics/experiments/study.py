"""Everything that page, report and command line say of one experiment, worked out once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from analytics.errors import NotIdentifiedError, SchemaError
from analytics.estimate import LEVEL
from analytics.experiments import outcomes
from analytics.experiments.comparison import Comparison, Reading, comparison, reading
from analytics.experiments.effects import Effect, Metric, effect
from analytics.experiments.looks import Looks, looks
from analytics.experiments.outcomes import Scope
from analytics.experiments.routes import METRICS as ROUTED
from analytics.experiments.verdict import Answer, Read, answer
from analytics.measure.multiplicity import holm

if TYPE_CHECKING:
    from analytics.logs.store import Store

MARGIN = 0.02
"""Accuracy that may be lost unless said otherwise, a share."""
WATCHED: tuple[Metric, ...] = ("accuracy", "cost_usd", "net_usd")
"""Metrics whose effect over time a decision may need."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One of several treatments against the control, corrected for their number.

    Attributes:
        arm: Name of the arm.
        accuracy: Effect on accuracy, over all requests.
        cost: Effect on the cost per request.
        p_accuracy: Holm's p-value over the treatments.
        p_cost: The same.
    """

    arm: str
    accuracy: Effect
    cost: Effect
    p_accuracy: float | None
    p_cost: float | None


@dataclass(frozen=True, slots=True)
class Study:
    """An experiment, read and compared.

    Attributes:
        reading: Its arms.
        comparison: Treatment against control; None where the sample ratio forbids it.
        looks: Effects over time of ``WATCHED`` metrics; those that cannot be followed are left out.
        answer: What to do; None where ``comparison`` is.
        rivals: All treatments, where there are several.
        margin: Accuracy that may be lost.
        value_usd: Worth of a correct answer, USD; None if it was not said.
        read: Whether it is read once or at any time.
        running: Whether its requests go on until the log ends, so that it may not have ended.
    """

    reading: Reading
    comparison: Comparison | None
    looks: dict[Metric, Looks]
    answer: Answer | None
    rivals: tuple[Rival, ...]
    margin: float
    value_usd: float | None
    read: Read
    running: bool = False

    @property
    def peeked(self) -> float | None:
        """True error of reading it every day as if each look were the only one; None if it ended."""
        if not self.running or self.read == "any-time" or not self.looks:
            return None
        return next(iter(self.looks.values())).peeking_error


def study(
    store: "Store",
    scope: Scope,
    *,
    control: str | None = None,
    treatment: str | None = None,
    margin: float = MARGIN,
    value_usd: float | None = None,
    read: Read = "once",
    level: float = LEVEL,
    split: Mapping[str, float] | None = None,
) -> Study:
    """Read an experiment and compare two of its arms.

    Args:
        store: The open store.
        scope: The experiment.
        control: Name of an arm; None for the one whose name says so.
        treatment: Name of another; None for the first that is not the control.
        margin: Accuracy that may be lost, a share.
        value_usd: Worth of a correct answer, USD.
        read: Whether it is read once, at its planned end, or may be at any time.
        level: Coverage of the intervals.
        split: Planned share of each arm; None for equal shares.

    Raises:
        NotIdentifiedError: There is no such experiment, or a single arm; or it is to be read at any time
            where only cells are in reach.
        InsufficientDataError: Nothing of it is left within dates and categories.
        SchemaError: An arm or the split does not exist in it.
    """
    found = reading(store, scope, split=split)
    if read == "any-time" and found.sums is not None:
        raise NotIdentifiedError(
            "Intervals that hold at every look need the requests in their order, and only sums of this log "
            "are here. Read the experiment once, at its planned end, or ask where the log is."
        )
    names = list(found.assigned.assigned)
    before = found.control if control is None else control
    others = [name for name in names if name != before]
    after = others[0] if treatment is None and others else treatment
    for name in (before, after):
        if name not in names:
            raise SchemaError(f"There is no arm {name}. Arms: {', '.join(names)}.")
    if before == after:
        raise SchemaError(f"An arm is compared with another one, not with itself: {before}.")
    after = str(after)
    if not found.validity.readable:
        return Study(found, None, {}, None, (), margin, value_usd, read)
    compared = comparison(store, found, control=before, treatment=after, level=level, value_usd=value_usd)
    followed = _followed(store, found, compared, margin=margin, level=level, value_usd=value_usd)
    said = answer(found, compared, margin=margin, value_usd=value_usd, read=read, looks=followed)
    return Study(
        found,
        compared,
        followed,
        said,
        _rivals(found, before, others, level=level) if len(others) > 1 else (),
        margin,
        value_usd,
        read,
        _running(store, found),
    )


def _running(store: "Store", found: Reading) -> bool:
    """Whether the experiment's last request is from the log's last day."""
    last = found.assigned.last
    if last is None:
        return False
    if found.sums is not None:
        return found.sums.last is not None and found.sums.last - last < timedelta(days=1)
    with outcomes.requests(store, found.scope) as (cursor, sql, values):
        ended = cursor.sql(f"SELECT max(ts) FROM ({sql})", params=values).fetchall()[0][0]  # noqa: S608
    return bool(ended - last < timedelta(days=1))


def _followed(
    store: "Store",
    found: Reading,
    compared: Comparison,
    *,
    margin: float,
    level: float,
    value_usd: float | None,
) -> dict[Metric, Looks]:
    followed: dict[Metric, Looks] = {}
    if found.sums is not None:
        return followed
    for metric in WATCHED:
        if metric == "net_usd" and value_usd is None:
            continue
        routes = compared.routes if metric in ROUTED else None
        seen = looks(
            store,
            found.scope,
            found.assigned,
            metric,
            control=compared.control,
            treatment=compared.treatment,
            tau=margin or None if metric == "accuracy" else None,
            level=level,
            value_usd=value_usd or 0.0,
            between=None if routes is None else routes.thresholds,
            scale=1.0 if routes is None else routes.share(compared.control, compared.treatment),
        )
        if seen is not None:
            followed[metric] = seen
    return followed


def _rivals(found: Reading, control: str, others: list[str], *, level: float) -> tuple[Rival, ...]:
    unit = found.assigned.unit
    pairs = [
        tuple(
            effect(metric, found.moments[None, control], found.moments[None, arm], unit=unit, level=level)
            for metric in ("accuracy", "cost_usd")
        )
        for arm in others
    ]
    adjusted = [holm([pair[place].p_value for pair in pairs]) for place in (0, 1)]
    return tuple(
        Rival(arm, pair[0], pair[1], adjusted[0][row], adjusted[1][row])
        for row, (arm, pair) in enumerate(zip(others, pairs, strict=True))
    )
