"""The thresholds without a router: JSON, CSV, and a Python module that needs nothing else."""

import csv
import io
import json
import math
from datetime import UTC

from analytics import expiry, policy_file
from analytics.errors import SchemaError
from analytics.export import golden
from analytics.export.fragment import Fragment, RefusedError, Rules, commented
from analytics.policy import ThresholdPolicy
from analytics.spreadsheet import csv_text, unescaped

COLUMNS = ("category", "route", "threshold", "on_missing", "fast_model", "strong_model", "verdict", "n")
DEFAULT = "(default)"


def as_json(rules: Rules) -> Fragment:
    """The thresholds file as JSON, evidence included."""
    policy = rules.policy
    return Fragment({"thresholds.json": policy_file.dumps(policy, format="json")})


def as_csv(rules: Rules) -> Fragment:
    """One line per category, the default last; ``read_csv`` reads it back.

    Raises:
        RefusedError: A category has the name that stands for the default.
    """
    import polars as pl  # noqa: PLC0415 - only this target needs it

    policy = rules.policy
    rows: list[tuple[object, ...]] = [
        (
            name,
            rule.route,
            None if rule.threshold is None else repr(rule.threshold),
            rule.on_missing,
            rule.fast_model,
            rule.strong_model,
            rule.verdict,
            rule.n,
        )
        for name, rule in policy.categories.items()
    ]
    default = policy.default
    rows.append(
        (
            DEFAULT,
            default.route,
            None if default.threshold is None else repr(default.threshold),
            default.on_missing,
            *[None] * 4,
        )
    )
    if DEFAULT in policy.categories:
        raise RefusedError(
            f"csv calls the rule of all other categories {DEFAULT}, as one of yours is. Use json."
        )
    kinds = {name: pl.Int64 if name == "n" else pl.String for name in COLUMNS}
    text = csv_text(pl.DataFrame(rows, schema=kinds, orient="row"))
    note = "The last line is the rule of categories that have none of their own."
    return Fragment({"thresholds.csv": text}, (note,))


def read_csv(text: str, *, policy_kind: str = "cascade") -> ThresholdPolicy:
    """The policy in the text that ``as_csv`` wrote.

    Raises:
        SchemaError: It is not one.
    """
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    if not rows or set(rows[0]) != set(COLUMNS):
        raise SchemaError(f"A thresholds table has the columns {', '.join(COLUMNS)}.")
    document = {
        "schema": "tiertune/thresholds/v1",
        "policy_kind": policy_kind,
        "default": _entry(rows[-1]),
        "categories": {unescaped(row["category"]): _entry(row) for row in rows[:-1]},
    }
    return policy_file.loads(json.dumps(document), format="json")


def _entry(row: dict[str, str]) -> dict[str, object]:
    found: dict[str, object] = {"route": row["route"]}
    if row["route"] == "cascade":
        found |= {"threshold": float(row["threshold"]) if row["threshold"] else None}
        found["on_missing"] = row["on_missing"]
    for name in ("fast_model", "strong_model", "verdict"):
        if row[name]:
            found[name] = unescaped(row[name])
    if row["n"]:
        found["n"] = int(row["n"])
    return found


_MODULE = '''{comments}"""Escalation thresholds: ``route(category, confidence)`` is "fast" or "strong"."""

{imports}from decimal import Decimal
from numbers import Real
{more_imports}
# Category: (least confidence that is kept, whether a missing confidence keeps).
RULES = {rules}
DEFAULT = {default}
{expiry}

def route(category, confidence):
    """Which answer a request gets; what is no number from 0 to 1 counts as missing."""
{check}    threshold, keeps_missing = RULES.get(category, DEFAULT)
    if confidence.__class__ is not float:
        if isinstance(confidence, bool) or not isinstance(confidence, (Real, Decimal)):
            return "fast" if keeps_missing else "strong"
        try:
            confidence = float(confidence)
        except (OverflowError, ValueError):
            return "fast" if keeps_missing else "strong"
    if 0.0 <= confidence <= 1.0:
        return "fast" if confidence >= threshold else "strong"
    return "fast" if keeps_missing else "strong"
'''
_EXPIRY = """# Seconds since 1970: {day}. After it routes stay as they are, and one warning is logged.
EXPIRES = {seconds}
_warned = []
_lock = Lock()


def _warn():
    with _lock:
        if _warned:
            return
        _warned.append(True)
    logging.getLogger("tiertune").warning(
        "The escalation thresholds expired on {day}. They route as before: tune again."
    )
"""
_CHECK = """    if not _warned and time.time() >= EXPIRES:
        _warn()
"""
_TEST = '''{comments}"""The decisions that tiertune expects of tiertune_route.py; run by pytest or python."""

from tiertune_route import route

NAN = float("nan")
CASES = {cases}


def test_every_decision():
    wrong = [case for case in CASES if route(case[0], case[1]) != case[2]]
    assert not wrong, wrong


if __name__ == "__main__":
    test_every_decision()
    print(len(CASES), "decisions as expected")
'''


def as_python(rules: Rules) -> Fragment:
    """A module with ``route()``, and its test."""
    policy = rules.policy
    table = {name: (rule.threshold, rule.keeps_missing) for name, rule in rules.categories.items()}
    lines = "".join(f"    {_literal(name)}: {_pair(*pair)},\n" for name, pair in table.items())
    module = _MODULE.format(
        comments=commented(rules.comments),
        rules="{\n" + lines + "}" if lines else "{}",
        default=_pair(rules.default.threshold, rules.default.keeps_missing),
        **_expiring(policy),
    )
    cases = "".join(
        f"    ({_literal(case.category)}, {_number(case.confidence)}, {case.route!r}),\n"
        for case in golden.cases(policy)
    )
    test = _TEST.format(comments=commented(rules.comments[:1]), cases="[\n" + cases + "]")
    return Fragment({"tiertune_route.py": module, "tiertune_route_test.py": test})


def _expiring(policy: ThresholdPolicy) -> dict[str, str]:
    """The parts of the module that only an expiry needs."""
    if policy.expires is None:
        return dict.fromkeys(("imports", "more_imports", "expiry", "check"), "")
    moment = policy.expires if policy.expires.tzinfo else policy.expires.replace(tzinfo=UTC)
    return {
        "imports": "import logging\nimport time\n",
        "more_imports": "from threading import Lock\n",
        "expiry": _EXPIRY.format(day=expiry.day(moment), seconds=int(moment.timestamp())),
        "check": _CHECK,
    }


def _literal(text: str | None) -> str:
    """A Python literal in ASCII, so that no sign of a name can hide or end a line."""
    return ascii(text)


def _pair(threshold: float, keeps_missing: bool) -> str:  # noqa: FBT001 - a pair
    return f"({_number(threshold)}, {keeps_missing})"


def _number(value: float | None) -> str:
    if value is None:
        return "None"
    if math.isnan(value):
        return "NAN"
    return 'float("inf")' if math.isinf(value) else repr(value)
