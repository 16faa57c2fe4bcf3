"""The experiment file: arms with their thresholds, who gets which, and when to stop; read strictly.

Example:
    >>> from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
    >>> old, new = (
    ...     ThresholdPolicy("cascade", Default("strong_only"), {"law": CategoryPolicy("cascade", threshold)})
    ...     for threshold in (0.9, 0.8)
    ... )
    >>> arms = (Arm("control", 0.5, old), Arm("treatment", 0.5, new))
    >>> spec = Experiment("lower-law", arms, margin=0.01)
    >>> loads(dumps(spec)).arm("user-17") == spec.arm("user-17")
    True
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import yaml

from analytics import strict_text
from analytics.errors import SchemaError
from analytics.experiments.design import Aim
from analytics.experiments.effects import Metric
from analytics.policy import CategoryPolicy, Default, OnMissing, PolicyKind, Route, ThresholdPolicy
from analytics.policy_checks import (
    NOTHING_APPLIED,
    Check,
    Path,
    Problems,
    choice,
    count,
    mapping_of,
    moment,
    number,
    shown,
    text,
)
from analytics.strict_text import Format

SCHEMA = "tiertune/experiment/v1"
MAX_BYTES = 256 * 1024
HASH = "md5-first-8-hex"
"""A unit's place is the first eight hex digits of MD5 of ``salt:unit``, divided by 2 to the 32."""
StopRule = Literal["fixed-horizon", "always-valid"]
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes:
        name: What the router logs as ``arm``.
        share: Share of the units, in (0, 1).
        policy: Thresholds of its requests.
    """

    name: str
    share: float
    policy: ThresholdPolicy


@dataclass(frozen=True, slots=True)
class Experiment:
    """A test that is about to start.

    Attributes:
        name: What the router logs as ``experiment``; the salt of the split as well.
        arms: The control first; their shares add to 1.
        metric: What decides.
        aim: Not inferior by the margin, or better by it.
        margin: In the metric's unit.
        level: Coverage of the interval that decides.
        power: Chance of the answer that it was planned for.
        unit: Column whose values are assigned.
        rule: ``fixed-horizon`` is read once, at the end; ``always-valid`` at any time.
        requests: Requests of both arms at the end; None where not planned.
        days: Planned length.
        starts: First moment, UTC.
        ends: Last moment, UTC, after ``starts``.
        created: When it was made.
    """

    name: str
    arms: tuple[Arm, ...]
    metric: Metric = "accuracy"
    aim: Aim = "non-inferior"
    margin: float | None = None
    level: float = 0.95
    power: float = 0.8
    unit: str = "unit_id"
    rule: StopRule = "fixed-horizon"
    requests: int | None = None
    days: float | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    created: datetime | None = None

    def arm(self, unit: str) -> str:
        """The arm of a unit: always the same, whoever computes it."""
        place = share_of(self.name, unit)
        upper = 0.0
        for arm in self.arms:
            upper += arm.share
            if place < upper:
                return arm.name
        return self.arms[-1].name


def share_of(salt: str, unit: str) -> float:
    """A unit's place in [0, 1), independent between salts."""
    digest = hashlib.md5(f"{salt}:{unit}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) / 2**32


def _version(found: Any, _path: Path, problems: Problems) -> Any:
    if found != SCHEMA:
        problems.add((), "schema", f"must be {SCHEMA}, found {shown(found)}")
    return found


_SHARE = number(0, 1, open_ends=True)
_RULE = mapping_of(
    {
        "route": choice(get_args(Route)),
        "threshold": number(0, 1),
        "on_missing": choice(get_args(OnMissing)),
    },
    required=("route",),
)
_POLICY = mapping_of(
    {
        "policy_kind": choice(get_args(PolicyKind)),
        "default": _RULE,
        "categories": mapping_of(None, value=_RULE),
    },
    required=("policy_kind", "default"),
)
_DOCUMENT: dict[str, Check] = {
    "schema": _version,
    "name": text,
    "created": moment,
    "question": mapping_of(
        {
            "metric": choice(get_args(Metric)),
            "aim": choice(get_args(Aim)),
            "margin": number(0),
            "level": _SHARE,
            "power": _SHARE,
        },
        required=("metric", "aim"),
    ),
    "assignment": mapping_of({"unit": text, "hash": choice((HASH, HASH))}, required=("unit", "hash")),
    "stop": mapping_of(
        {
            "rule": choice(get_args(StopRule)),
            "requests": count,
            "days": number(0),
            "starts": moment,
            "ends": moment,
        },
        required=("rule",),
    ),
    "arms": mapping_of(
        None, value=mapping_of({"share": _SHARE, "policy": _POLICY}, required=("share", "policy"))
    ),
}
_CHECK = mapping_of(_DOCUMENT, required=("schema", "name", "question", "assignment", "stop", "arms"))


def loads(content: str | bytes, *, file_format: Format | None = None) -> Experiment:
    """The experiment in the text of an experiment file, YAML or JSON, of at most 256 KiB.

    Raises:
        SchemaError: It is not valid; the message lists all problems.
    """
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if len(raw) > MAX_BYTES:
        raise SchemaError(f"The file is larger than {MAX_BYTES // 1024} KiB. {NOTHING_APPLIED}")
    try:
        parsed = strict_text.plain_data(raw.decode("utf-8-sig"), file_format=file_format)
    except UnicodeError:
        raise SchemaError(f"Not a text file. {NOTHING_APPLIED}") from None
    except SchemaError as error:
        raise SchemaError(f"{error} {NOTHING_APPLIED}") from None
    problems = Problems("experiment file")
    if not isinstance(parsed.data, dict):
        problems.refuse(f"Not an experiment file: expected keys such as schema, found {shown(parsed.data)}")
    for duplicate in parsed.duplicates:
        where = ".".join((*duplicate.path, duplicate.key))
        lines = " and ".join(str(line) for line in duplicate.lines)
        problems.add((), None, f"Key {shown(where, quoted=False)} stands twice (lines {lines})")
    found = _CHECK(parsed.data, (), problems) or {}
    _check_together(found, problems)
    problems.raise_any()
    return _experiment(found)


def _check_together(found: Mapping[str, Any], problems: Problems) -> None:
    arms = found.get("arms") or {}
    if len(arms) < 2:  # noqa: PLR2004 - a control and a treatment
        problems.add(("arms",), None, f"an experiment needs two arms, found {len(arms)}")
    shares = [arm["share"] for arm in arms.values() if arm and "share" in arm]
    if len(shares) == len(arms) and arms and abs(sum(shares) - 1) > _ROUNDING:
        problems.add(("arms",), None, f"the shares must add to 1, found {sum(shares):g}")
    stop = found.get("stop") or {}
    starts, ends = stop.get("starts"), stop.get("ends")
    if starts is not None and ends is not None and ends <= starts:
        problems.add(
            ("stop",),
            None,
            f"the experiment ends ({_written(ends)}) before it begins ({_written(starts)}); set ends later",
        )
    for name, arm in arms.items():
        policy = (arm or {}).get("policy") or {}
        rules = {"default": policy.get("default"), **(policy.get("categories") or {})}
        for category, rule in rules.items():
            if rule and (rule.get("route") == "cascade") != ("threshold" in rule):
                said = "needs a threshold" if rule.get("route") == "cascade" else "has none"
                problems.add(("arms", name, category), None, f"route {rule.get('route')} {said}")


def _experiment(found: Mapping[str, Any]) -> Experiment:
    question, stop = found["question"], found["stop"]
    return Experiment(
        found["name"],
        tuple(Arm(name, arm["share"], _policy(arm["policy"])) for name, arm in found["arms"].items()),
        question["metric"],
        question["aim"],
        question.get("margin"),
        question.get("level", 0.95),
        question.get("power", 0.8),
        found["assignment"]["unit"],
        stop["rule"],
        stop.get("requests"),
        stop.get("days"),
        stop.get("starts"),
        stop.get("ends"),
        found.get("created"),
    )


def _policy(found: Mapping[str, Any]) -> ThresholdPolicy:
    default = found["default"]
    return ThresholdPolicy(
        found["policy_kind"],
        Default(default["route"], default.get("threshold"), default.get("on_missing", "escalate")),
        {
            name: CategoryPolicy(
                rule["route"], rule.get("threshold"), on_missing=rule.get("on_missing", "escalate")
            )
            for name, rule in found.get("categories", {}).items()
        },
    )


def dumps(spec: Experiment, *, file_format: Format = "yaml") -> str:
    """The experiment file; reading it gives an equal experiment with the rules of its policies alone.

    Raises:
        ValueError: The experiment is not valid, such as shares that do not add to 1; a programming mistake.
    """
    document = _document(spec)
    if file_format == "json":
        written = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    else:
        head = (
            "# Arm of a unit: eight hex digits of MD5 of '<name>:<unit>', divided by 2^32, fall into the\n"
            "# shares of the arms in their order. Log experiment and arm with every request.\n"
        )
        written = head + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    try:
        loads(written, file_format=file_format)
    except SchemaError as error:
        raise ValueError(f"the experiment cannot be written: {error}") from error
    return written


def _document(spec: Experiment) -> dict[str, Any]:
    question = {
        "metric": spec.metric,
        "aim": spec.aim,
        "margin": spec.margin,
        "level": spec.level,
        "power": spec.power,
    }
    stop = {
        "rule": spec.rule,
        "requests": spec.requests,
        "days": spec.days,
        "starts": _written(spec.starts),
        "ends": _written(spec.ends),
    }
    return _known(
        {
            "schema": SCHEMA,
            "name": spec.name,
            "created": _written(spec.created),
            "question": _known(question),
            "assignment": {"unit": spec.unit, "hash": HASH},
            "stop": _known(stop),
            "arms": {arm.name: {"share": arm.share, "policy": _rules(arm.policy)} for arm in spec.arms},
        }
    )


def _rules(policy: ThresholdPolicy) -> dict[str, Any]:
    """What decides of a policy; categories without a rule of their own follow the default."""
    return {
        "policy_kind": policy.policy_kind,
        "default": _rule(policy.default),
        "categories": {
            name: _rule(rule)
            for name, rule in sorted(policy.categories.items())
            if rule.route != "cascade" or rule.threshold is not None
        },
    }


def _rule(rule: CategoryPolicy | Default) -> dict[str, Any]:
    found: dict[str, Any] = {"route": rule.route}
    if rule.route == "cascade":
        found |= {"threshold": rule.threshold, "on_missing": rule.on_missing}
    return found


def _known(found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if value is not None}


def _written(value: datetime | None) -> str | None:
    if value is None:
        return None
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def kept_from(rule: CategoryPolicy | Default) -> float:
    """The least confidence that a rule keeps; infinite where it always escalates."""
    if rule.route == "fast_only":
        return 0.0
    if rule.route == "strong_only" or rule.threshold is None:
        return math.inf
    return rule.threshold
