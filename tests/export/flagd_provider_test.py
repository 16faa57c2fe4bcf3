"""The exported flags in flagd's own provider: every golden decision, and the split of an experiment."""

import json
import math
import subprocess
import sys
from pathlib import Path

from analytics.experiments.spec import Arm, Experiment
from analytics.export import gateways, golden
from analytics.export.fragment import rules
from analytics.policy import CategoryPolicy, Default, ThresholdPolicy

PROGRAM = Path(__file__).parents[1] / "fixtures" / "flagd" / "decisions.py"
POLICY = ThresholdPolicy(
    "cascade",
    Default("cascade", 0.7),
    {
        "law": CategoryPolicy("cascade", 0.85),
        "chat": CategoryPolicy("fast_only"),
        "proofs": CategoryPolicy("strong_only"),
        'odd "name"\n{x}': CategoryPolicy("cascade", 0.0, on_missing="keep"),
        "all": CategoryPolicy("cascade", 1.0),
    },
)


def test_flagd_obeys_every_golden_decision_and_splits_users_as_planned(tmp_path: Path) -> None:
    test = Experiment("next", (Arm("control", 0.8, POLICY), Arm("treatment", 0.2, POLICY)))
    flags = gateways.flagd(rules(POLICY), test).files["flagd.json"]
    (tmp_path / "flags.json").write_text(flags, encoding="utf-8")
    cases = golden.cases(POLICY)
    asked = [
        {
            "category": case.category,
            "confidence": "NaN"
            if case.confidence is not None and math.isnan(case.confidence)
            else case.confidence,
        }
        for case in cases
    ]
    (tmp_path / "cases.json").write_text(json.dumps(asked), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "flags.json"), str(tmp_path / "cases.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["routes"] == [case.route for case in cases]
    assert found["sticky"]
    # 2,000 users at 20%: 400, with a standard deviation of 18.
    assert abs(found["arms"].count("treatment") - 400) < 4 * 18
