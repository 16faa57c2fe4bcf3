"""Power of "since the change" with many users: what it takes where users return and differ.

Users differ in what they cost and in how often they are escalated, so that the 12,800 requests of 1,600 users
in ``since`` tell less of cost than 8,000 independent ones: the product itself says that 15% would show there.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

from tests.proofs.since import CHANGED, LEAST_POWER, USERS, tallied
from tests.soak.figures import Figure

CHANGES = 40
MANY = replace(
    USERS, name="4,800 users with 8 requests each on average before and after", before=38_400, after=38_400
)


def figures(count: int | None) -> Iterator[Figure]:
    """Alarms of the changes of ``since``, with three times the users."""
    made = count or CHANGES
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for said, metric, traffic in CHANGED:
            if traffic.name != USERS.name:
                continue
            many = replace(traffic, name=MANY.name, before=MANY.before, after=MANY.after)
            found = tallied(many, made, pool)[metric]
            yield Figure(
                f"{MANY.name}, {made:,} changes where {said}: alarms about it",
                f"at least {LEAST_POWER:.0%}",
                f"{found / made:.1%}",
                found >= LEAST_POWER * made,
            )
