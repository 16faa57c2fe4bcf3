"""One decision in many routers: golden decisions obeyed, logs read back, files that return exactly, speed."""

import json
import random
import timeit
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from analytics import policy_file
from analytics.errors import SchemaError
from analytics.export import golden, plain
from analytics.export.fragment import RefusedError
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from tests.export import targets_test
from tests.proofs import broken, consumers, loop
from tests.soak.figures import Figure

REQUESTS, EARLIER, POLICIES, PER_SECOND = 2_000, 1_000, 2_000, 1_000_000
CATEGORIES, CALLS, ROUNDS = 14, 200_000, 7


def figures(count: int | None) -> Iterator[Figure]:
    """Everything; with ``count`` that many requests and policies instead of 2,000."""
    with TemporaryDirectory() as folder:
        yield from decisions(Path(folder))
        yield from closed_loop(Path(folder), count or REQUESTS, min(count or EARLIER, EARLIER))
    yield from round_trips(count or POLICIES)
    yield refusals()
    yield speed()


def decisions(folder: Path) -> Iterator[Figure]:
    """Golden decisions of every consumer."""
    asked = {
        "the installed litellm.Router, custom classifier": consumers.litellm(
            "litellm-plugin", consumers.policy("predictive", keep=True), folder / "plugin", scale=False
        ),
        "the installed litellm.Router, capability judge": consumers.litellm(
            "litellm-capability", consumers.policy("predictive", "p_solve"), folder / "judge", scale=True
        ),
        "the installed litellm.Router, trained heuristic (forecast replaced)": consumers.litellm(
            "litellm-heuristic",
            consumers.policy("predictive", "heuristic_v2_forecast"),
            folder / "heuristic",
            scale=True,
        ),
        "flagd's own offline provider": consumers.flagd(
            consumers.policy("cascade", keep=True), folder / "flagd"
        ),
        "Portkey's documented rules": portkey(consumers.policy("cascade", keep=True)),
        "RouteLLM's rule": consumers.routellm(consumers.policy("predictive", "win_rate")),
        "vLLM Semantic Router's documented rules": consumers.vllm(consumers.policy("cascade", "hybrid")),
        "the exported Python module": consumers.python(consumers.policy("cascade", keep=True)),
    }
    for name, (right, cases) in asked.items():
        yield Figure(f"golden decisions obeyed by {name}", "all", f"{right:,} of {cases:,}", right == cases)


def portkey(found: ThresholdPolicy) -> tuple[int, int]:
    """Portkey's documented rules, evaluated apart from the export."""
    config = json.loads(exported(found, "portkey").files["portkey.json"])
    cases, right = golden.cases(found), 0
    for case in cases:
        metadata: dict[str, Any] = {} if case.category is None else {"category": case.category}
        if case.confidence is not None:
            metadata["confidence"] = case.confidence
        right += targets_test.portkey(config, metadata) == ("small" if case.route == "fast" else "big")
    return right, len(cases)


def closed_loop(folder: Path, requests: int, earlier: int) -> Iterator[Figure]:
    """The exported router's two logs: whole, obeyed, without alarm; and with one, where it runs another."""
    sent = {"before": loop.cases(earlier, 10), "same": loop.cases(requests, 11)}
    sent["other"] = loop.cases(requests, 12)
    for name, cases in sent.items():
        (folder / name).mkdir()
        loop.routed(loop.OTHER if name == "other" else loop.POLICY, cases, folder / name)
    before = loop.read_back(folder / "before", "callback", loop.POLICY, sent["before"])
    file = loop.with_expectations(loop.POLICY, before.rows)
    for log in loop.LOGS:
        found = loop.read_back(folder / "same", log, loop.POLICY, sent["same"])
        counts = (found.read, found.loaded, found.recognised, found.obeyed)
        yield Figure(
            f"{requests:,} requests through litellm.Router with the exported config, its {log}: decisions "
            "recognised and the policy's",
            f"{requests:,} of {requests:,}",
            f"{found.recognised:,} recognised, {found.obeyed:,} the policy's",
            counts == (requests,) * 4,
        )
        quiet, loud = (loop.compared(folder / name, log, file) for name in ("same", "other"))
        tested = sum(entry.p_value is not None for entry in quiet.compared)
        others = 0.0 if loud.obeyed is None else (1 - loud.obeyed) * loud.decided
        yield Figure(
            f"since the change on its {log}, expectations from {earlier:,} earlier requests",
            "no alarm; an alarm where the router runs another threshold in one category",
            f"{quiet.answer} ({tested} comparisons); {loud.answer} ({len(loud.alarms)} figures depart, "
            f"{others:,.0f} of {loud.decided:,} decisions are not the policy's)",
            (quiet.answer, loud.answer) == ("as_expected", "alarm") and bool(loud.alarms),
        )


def round_trips(count: int) -> Iterator[Figure]:
    """Random policies with hostile names: text formats read back, others decide every golden case."""
    tally: Counter[str] = Counter()

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(targets_test.policies)
    def tried(policy: ThresholdPolicy) -> None:
        tally["policies"] += 1
        tally["categories"] += len(policy.categories)
        tally["JSON"] += policy_file.loads(exported(policy, "json").files["thresholds.json"]) == policy
        tally["YAML"] += policy_file.loads(policy_file.dumps(policy)) == policy
        tally["CSV"] += plain.read_csv(exported(policy, "csv").files["thresholds.csv"]) == policy
        right, cases = consumers.python(policy)
        tally["cases"] += cases
        tally["Python module"] += right

    tried()
    made = tally["policies"]
    for name in ("JSON", "YAML", "CSV"):
        yield Figure(
            f"random policies with hostile category names, written as {name} and read back exactly",
            f"all of at least {count:,}",
            f"{tally[name]:,} of {made:,} ({tally['categories']:,} categories)",
            tally[name] == made >= count,
        )
    yield Figure(
        "golden decisions of these policies by their exported Python modules",
        "all",
        f"{tally['Python module']:,} of {tally['cases']:,}",
        tally["Python module"] == tally["cases"],
    )


def refusals() -> Figure:
    """Broken thresholds files, and policies that a target cannot express."""
    files = [_refused(json.dumps(document)) for document in broken.documents()]
    targets = []
    for target, policy in broken.inexpressible():
        try:
            exported(policy, target)
        except RefusedError:
            targets.append(True)
        else:
            targets.append(False)
    return Figure(
        "thresholds files with one fault, and policies that a router cannot express: refused",
        "all, none approximated",
        f"{sum(files)} of {len(files)} files, {sum(targets)} of {len(targets)} policies",
        all(files) and all(targets),
    )


def _refused(text: str) -> bool:
    try:
        policy_file.loads(text, format="json")
    except SchemaError:
        return True
    return False


def speed() -> Figure:
    """Decisions a second of the exported module in one thread, the loop over the requests included."""
    chance = random.Random(1)  # noqa: S311 - simulated requests
    categories = {
        f"category {place}": CategoryPolicy("cascade", round(chance.random(), 2))
        for place in range(CATEGORIES)
    }
    route = consumers.module(ThresholdPolicy("cascade", Default("cascade", 0.7), categories))
    requests = [
        (
            chance.choice([*categories, "unknown", None]),
            None if chance.random() < 0.05 else round(chance.random(), chance.choice([1, 2, 17])),
        )
        for _ in range(CALLS)
    ]

    def asked() -> None:
        for category, confidence in requests:
            route(category, confidence)

    seconds = sorted(timeit.repeat(asked, number=1, repeat=ROUNDS))[ROUNDS // 2]
    return Figure(
        f"decisions a second of the exported Python module, one thread, {CATEGORIES} categories, one in "
        "twenty without a confidence",
        f"at least {PER_SECOND:,}",
        f"{CALLS / seconds:,.0f} (median of {ROUNDS} times {CALLS:,})",
        seconds <= CALLS / PER_SECOND,
    )
