"""When thresholds should be tuned anew: the date, and what is said once it has passed.

An expired policy routes as before: a route that changes by itself some night would be worse than an old one.
"""

import re
from datetime import UTC, datetime, timedelta

from analytics.errors import SchemaError
from analytics.policy import ThresholdPolicy

MOST_DAYS = 3650
_DAYS = re.compile(r"([0-9]{1,5})d")
WANTED = "a day to come such as 2027-02-22, or a number of days such as 90d"


def expired(policy: ThresholdPolicy, *, now: datetime | None = None) -> bool:
    """Whether the moment of ``expires`` has come; never without one.

    Args:
        policy: The policy.
        now: The time; None for the clock's.
    """
    if policy.expires is None:
        return False
    moment = policy.expires if policy.expires.tzinfo else policy.expires.replace(tzinfo=UTC)
    return (now or datetime.now(UTC)) >= moment


def warning(policy: ThresholdPolicy, *, now: datetime | None = None) -> str | None:
    """The sentence for an expired policy; None for any other."""
    if policy.expires is None or not expired(policy, now=now):
        return None
    return (
        f"These thresholds expired on {day(policy.expires)}. They route as before, but traffic, models or "
        "prices may have changed since: tune again."
    )


def moment(text: str, *, now: datetime | None = None) -> datetime:
    """The moment that ``2027-02-22`` (its start, UTC), an ISO 8601 time or ``90d`` (from today) stands for.

    Raises:
        SchemaError: It is none of these, has passed, or is more than ten years away.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC)
    days = _DAYS.fullmatch(text.strip())
    try:
        if days:
            start = today.replace(hour=0, minute=0, second=0, microsecond=0)
            found = start + timedelta(days=int(days.group(1)))
        else:
            found = datetime.fromisoformat(text.strip())
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SchemaError(f"The expiry must be {WANTED}. Found: {text[:40]!a}.") from None
    if found <= today or found > today + timedelta(days=MOST_DAYS):
        raise SchemaError(f"The expiry must be {WANTED}, at most ten years away. Found: {text[:40]!a}.")
    return found


def day(found: datetime) -> str:
    """A day in words: ``22 Feb 2027``, UTC."""
    utc = found.astimezone(UTC) if found.tzinfo else found
    return f"{utc.day} {utc:%b} {utc.year}"
