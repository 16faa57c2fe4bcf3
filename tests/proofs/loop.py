"""The closed loop: a policy's export routes requests through LiteLLM, whose two logs are loaded and compared.

One log is the exported callback's, the other LiteLLM's own spend log, built by LiteLLM's own function.
"""

import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from analytics.estimate import Estimate, wilson
from analytics.export.since import Since, since
from analytics.export.targets import exported
from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy
from tests import stores

PROGRAM = Path(__file__).parents[1] / "fixtures" / "litellm" / "routed_decisions.py"
LOGS = {"callback": "requests.jsonl", "spend log": "spend.jsonl"}
PAIR = {"fast_model": "small", "strong_model": "big"}
POLICY = ThresholdPolicy(
    "predictive",
    Default("strong_only"),
    {
        "maths": CategoryPolicy("cascade", 0.85, **PAIR),
        "chat": CategoryPolicy("cascade", 0.3, on_missing="keep", **PAIR),
        "proofs": CategoryPolicy("strong_only", **PAIR),
    },
)
OTHER = replace(POLICY, categories={**POLICY.categories, "maths": CategoryPolicy("cascade", 0.6, **PAIR)})
"""The same but for one threshold."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What one log of one run says.

    Attributes:
        log: Which log.
        read: Lines in it.
        loaded: Lines that became rows.
        recognised: Requests that are decisions with the category and confidence that were sent.
        obeyed: Of these, how many took the route that the policy names.
        rows: task_category, confidence, escalated, cost of every decision.
    """

    log: str
    read: int
    loaded: int
    recognised: int
    obeyed: int
    rows: list[tuple[Any, ...]]


def cases(n: int, seed: int) -> list[dict[str, Any]]:
    """Requests as callers send them; one in twenty has no confidence."""
    chance = random.Random(seed)  # noqa: S311 - simulated requests
    return [
        {
            "category": chance.choice(["maths", "chat", "proofs", "new", None]),
            "tags": None,
            "confidence": None if chance.random() < 0.05 else round(chance.random(), 2),
        }
        for _ in range(n)
    ]


def routed(policy: ThresholdPolicy, sent: list[dict[str, Any]], folder: Path) -> None:
    """Send requests through the exported router; both logs are then in the folder."""
    for name, text in exported(policy, "litellm-plugin").files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "cases.json").write_text(json.dumps(sent), encoding="utf-8")
    logs = {"TIERTUNE_LOG": LOGS["callback"], "SPEND_LOG": LOGS["spend log"]}
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), str(folder / "cases.json")],
        capture_output=True, text=True, timeout=400, check=False, cwd=folder,
        env={**os.environ, **{name: str(folder / file) for name, file in logs.items()}},
    )  # fmt: skip
    if ran.returncode != 0:
        raise RuntimeError(ran.stderr[-3000:])


@contextmanager
def loaded(folder: Path, log: str) -> Iterator[tuple[Store, intake.FileReport]]:
    """One of the logs in a store of its own, as dataset ``loop``."""
    with Store.open(None) as store:
        (report,) = intake.load(store, "loop", [folder / LOGS[log]], Answers())
        if log == "spend log":
            # No request has two models here, so which is strong must be said.
            store.set_ladder("loop", [Pair(None, "openai/small", "openai/big", 0)])
        yield store, report


def read_back(folder: Path, log: str, policy: ThresholdPolicy, sent: list[dict[str, Any]]) -> Loop:
    """What a log says of the requests that were sent."""
    with loaded(folder, log) as (store, report):
        rows = stores.rows(
            store,
            """SELECT task_category, confidence, escalated, coalesce(fast_cost_usd, strong_cost_usd)
            FROM decisions WHERE dataset = 'loop' AND policy_kind = 'predictive'""",
        )
    wanted = sorted(repr((case["category"], case["confidence"])) for case in sent)
    known = sorted(repr(row[:2]) for row in rows)
    recognised = len(rows) if known == wanted else 0
    obeyed = sum(row[2] == (policy.route(row[0], row[1]) == "strong") for row in rows)
    return Loop(log, report.read, report.loaded, recognised, obeyed, rows)


def with_expectations(policy: ThresholdPolicy, rows: list[tuple[Any, ...]]) -> ThresholdPolicy:
    """The policy with what its categories escalated and cost in an earlier run, by plain means."""
    categories = {}
    for name, rule in policy.categories.items():
        mine = [row for row in rows if row[0] == name]
        share, cost = float(np.mean([row[2] for row in mine])), np.array([row[3] for row in mine])
        low, high = wilson(share * len(mine), len(mine))
        half = 1.96 * float(cost.std(ddof=1)) / math.sqrt(cost.size)
        mean = float(cost.mean())
        categories[name] = replace(
            rule,
            n=len(mine),
            escalation_rate=Estimate(share, low, high, len(mine), "Wilson"),
            cost_per_request_usd=Estimate(mean, mean - half, mean + half, len(mine), "normal"),
        )
    return replace(policy, categories=categories)


def compared(folder: Path, log: str, file: ThresholdPolicy) -> Since:
    """A log against the thresholds file that is meant to be in force."""
    with loaded(folder, log) as (store, _):
        return since(store, "loop", file)
