"""Every record is loaded, rejected or a duplicate; ``python -m tests.soak balance`` tries 5,000 logs more."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.soak.balance import RECORDS, balanced
from tests.soak.forked import inside


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=RECORDS,
    kind=st.sampled_from(("csv", "jsonl", "json")),
    cuts=st.tuples(st.integers(0, 25), st.integers(0, 25)),
)
def test_read_is_loaded_and_rejected_and_duplicates(store, tmp_path, records, kind, cuts):
    with inside():
        assert balanced(store, tmp_path, records, kind=kind, cuts=cuts) > 0
