"""Routers by their documented rules, broken thresholds files, and policies that a router cannot express."""

import json

import pytest

from analytics import policy_file
from analytics.errors import SchemaError
from analytics.export.fragment import RefusedError
from analytics.export.targets import exported
from tests.proofs import broken, consumers


def test_routellm_and_vllm_obey_every_decision_on_their_scale() -> None:
    assert consumers.routellm(consumers.policy("predictive", "win_rate")) == (30, 30)
    assert consumers.vllm(consumers.policy("cascade", "hybrid")) == (30, 30)


def test_every_fault_in_a_thresholds_file_is_refused() -> None:
    # Without its faults the file is read, so that it is the fault that is refused.
    assert policy_file.loads(json.dumps(broken.VALID), format="json").categories["law"].threshold == 0.96
    documents = list(broken.documents())
    assert len(documents) >= 150
    for document in documents:
        with pytest.raises(SchemaError, match="Nothing was applied"):
            policy_file.loads(json.dumps(document), format="json")


def test_what_a_router_cannot_express_is_refused_and_never_approximated() -> None:
    cases = list(broken.inexpressible())
    assert len(cases) >= 20
    for target, policy in cases:
        with pytest.raises(RefusedError):
            exported(policy, target)
