"""What an export gives, what it must know of a policy, and how it refuses."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from analytics import expiry
from analytics.errors import TiertuneError
from analytics.policy import UNSUPPORTED, CategoryPolicy, Default, ThresholdPolicy

MARK = "x-unsupported"
"""Key of a category that is exported although no verdict supports it."""
WITHOUT_SUPPORT = "exported without support"
"""The same where a mark is words, such as a comment."""
ASKED_FIRST = (
    "The confidence is of an answer that the fast model gave: ask it first, send its confidence, and take "
    "that answer where the route is the fast model's instead of asking again."
)
"""Note for thresholds that are compared after the fast answer, where the caller sends the confidence."""
FAST, STRONG = "fast-model", "reasoning-model"
"""Names of the two models where the thresholds file names none."""


class RefusedError(TiertuneError):
    """A target cannot express the policy; the message names one that can."""

    kind = "input"


@dataclass(frozen=True, slots=True)
class Fragment:
    """Files for one router, to be merged into what it has.

    Attributes:
        files: Text by file name, the one to read first at the front.
        notes: Sentences for whoever merges them: what the caller must send, and what the target ignores.
    """

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a comparison: keep iff ``confidence >= threshold``.

    Attributes:
        threshold: 0 where the fast model alone answers, infinite where the strong one does.
        keeps_missing: Whether a missing confidence keeps the fast answer.
        fast: Label of the fast model.
        strong: Label of the strong model.
    """

    threshold: float
    keeps_missing: bool
    fast: str
    strong: str

    @property
    def route(self) -> str | None:
        """``fast`` or ``strong`` where no confidence is asked for; None where it is."""
        if math.isinf(self.threshold):
            return "strong"
        return "fast" if self.threshold == 0 and self.keeps_missing else None


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides of a policy, and its evidence as comments.

    Attributes:
        default: Of requests whose category has no rule of its own.
        categories: By exact name.
        comments: Lines on what the thresholds rest on.
        policy: The policy itself.
    """

    default: Rule
    categories: dict[str, Rule]
    comments: tuple[str, ...]
    policy: ThresholdPolicy

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of models, that of the default first."""
        first = (self.default.fast, self.default.strong)
        return list(dict.fromkeys([first, *((rule.fast, rule.strong) for rule in self.categories.values())]))


def rules(policy: ThresholdPolicy) -> Rules:
    """The rules of a policy that is handed out; categories without one follow the default."""
    named = [
        (rule.fast_model, rule.strong_model)
        for rule in policy.categories.values()
        if rule.fast_model and rule.strong_model
    ]
    usual = max(dict.fromkeys(named), key=named.count, default=(FAST, STRONG))
    own = {
        name: _rule(rule, usual)
        for name, rule in policy.categories.items()
        if rule.route != "cascade" or rule.threshold is not None
    }
    return Rules(_rule(policy.default, usual), own, _comments(policy), policy)


def _rule(rule: CategoryPolicy | Default, usual: tuple[str | None, str | None]) -> Rule:
    fast = getattr(rule, "fast_model", None) or usual[0] or FAST
    strong = getattr(rule, "strong_model", None) or usual[1] or STRONG
    if rule.route == "fast_only":
        return Rule(0.0, True, fast, strong)
    if rule.route == "strong_only" or rule.threshold is None:
        return Rule(math.inf, False, fast, strong)
    return Rule(rule.threshold, rule.on_missing == "keep", fast, strong)


def handed_out(policy: ThresholdPolicy, *, include_unsupported: bool = False) -> ThresholdPolicy:
    """The policy as it is exported: categories without a supported verdict only if asked for, then marked.

    Leaving such a category out changes no decision, since it has no threshold of its own and unknown
    categories follow the same default.
    """
    categories: dict[str, CategoryPolicy] = {}
    for name, rule in policy.categories.items():
        if rule.verdict not in UNSUPPORTED:
            categories[name] = rule
        elif include_unsupported:
            categories[name] = replace(rule, extra={**rule.extra, MARK: True})
    return replace(policy, categories=categories)


def refused(policy: ThresholdPolicy) -> dict[str, CategoryPolicy]:
    """Categories that are not exported unless asked for, with their verdict and reason."""
    return {name: rule for name, rule in policy.categories.items() if rule.verdict in UNSUPPORTED}


def marked(policy: ThresholdPolicy) -> list[str]:
    """Categories that are exported without support, in order."""
    return [name for name, rule in policy.categories.items() if MARK in rule.extra]


def facts(policy: ThresholdPolicy) -> dict[str, Any]:
    """What a JSON target carries beside its rules: the marked categories and the expiry."""
    found: dict[str, Any] = {}
    if marked(policy):
        found[MARK] = marked(policy)
    if policy.expires is not None:
        found["x-expires"] = policy.expires.isoformat().replace("+00:00", "Z")
    return found


def require_score(policy: ThresholdPolicy, target: str, names: tuple[str, ...], what: str) -> None:
    """Refuse a target that computes its own score unless the thresholds are about that score.

    Args:
        policy: The policy.
        target: Name of the target.
        names: Names of the score, of which the source's last part must be one.
        what: The score, for the message.

    Raises:
        RefusedError: They are about another score, or do not say which.
    """
    source = (policy.confidence.source if policy.confidence else None) or ""
    if scored_by(policy) in names:
        return
    found = f"about {source}" if source else "about a score that the file does not name"
    raise RefusedError(
        f"{target} compares {what} with the threshold, and these thresholds are {found}. Use litellm-plugin, "
        "portkey, flagd or python, which take the confidence that the caller sends."
    )


def require_forecast(policy: ThresholdPolicy, target: str) -> None:
    """Refuse a target that forecasts before any answer, for thresholds about answers.

    Raises:
        RefusedError: The policy is a cascade.
    """
    if policy.policy_kind != "predictive":
        raise RefusedError(
            f"{target} decides before any answer, and these thresholds compare the confidence of an answer "
            "that the fast model gave. Use litellm-plugin, portkey, flagd or python."
        )


def scored_by(policy: ThresholdPolicy) -> str:
    """The last part of the name that the score has in the log: ``p_solve`` of ``routing.p_solve``."""
    source = (policy.confidence.source if policy.confidence else None) or ""
    return source.replace("/", ".").rpartition(".")[2].casefold()


def _comments(policy: ThresholdPolicy) -> tuple[str, ...]:
    lines = ["Written by tiertune. Keep the fast answer iff confidence >= threshold; equality keeps."]
    evidence, goal = policy.evidence, policy.goal
    if goal is not None:
        lines.append(f"Goal: {goal.name}" + (f", margin {goal.margin:g}" if goal.margin is not None else ""))
    if evidence is not None and evidence.log_sha256:
        lines.append(f"Log {evidence.log_sha256[:16]}, {evidence.requests or 0:,} requests")
    if policy.expires is not None:
        lines.append(f"Tune again by {expiry.day(policy.expires)}; after it they route as before.")
    for name, rule in policy.categories.items():
        said = [WITHOUT_SUPPORT] if MARK in rule.extra else []
        said += [str(rule.verdict)] if rule.verdict else []
        said += [f"n {rule.n:,}"] if rule.n is not None else []
        if rule.accuracy is not None and rule.accuracy.value is not None:
            said.append(f"accuracy {rule.accuracy.value:.3f}")
        if said:
            lines.append(f"{one_line(name)}: {', '.join(said)}")
    return tuple(lines)


def one_line(text: str) -> str:
    """Text from a log where a line break would end a comment."""
    return "".join(character if character.isprintable() else " " for character in text)[:120]


def commented(lines: tuple[str, ...]) -> str:
    """Lines as comments of YAML and Python."""
    return "".join(f"# {one_line(line)}\n" for line in lines)
