"""Datasets priced anew, prices by hand in the database, and logged beside priced costs.

List prices per million tokens (litellm 1.106.2): gpt-4o 2.5 in, 1.25 cached, 10 out, half of that in batches;
claude-sonnet-4-5 3 in, 0.3 cached, 3.75 written, 15 out; o3 2 in, 8 out.
"""

import duckdb
import pytest
from stores import WIDE, call, decisions, load, rows

from analytics.errors import SchemaError
from analytics.logs import intake, recovery
from analytics.logs.meaning.mapping import Answers
from analytics.logs.rates import Override
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store

TOKENS = {"input_tokens": 1000, "output_tokens": 100}
OURS = Override(input=1.0, output=2.0)  # 1000 x 1 + 100 x 2 = 1200 millionths


def costs(store, dataset="d"):
    query = """SELECT model, cost_usd, cost_usd_logged, cost_source FROM calls
               WHERE dataset = ? ORDER BY model, request_id"""
    return [
        (model, *(None if cost is None else pytest.approx(cost) for cost in both), source)
        for model, *both, source in rows(store, query, dataset)
    ]


def both_kinds(store):
    """One call with a logged cost (priced 2500 + 1000 millionths), one of a model without a price."""
    logged = call("a", "gpt-4o", **TOKENS, cost_usd=0.005, cost_source="logged")
    load(store, "d", [logged, call("a", "ours", **TOKENS, call_index=1)], form="calls")


def test_only_what_has_no_logged_cost_is_priced(store):
    both_kinds(store)
    version = store.version("d")
    store.set_price("ours", OURS)
    assert costs(store) == [("gpt-4o", 0.005, None, "logged"), ("ours", None, None, None)]
    done = store.reprice("d")
    assert (done.changed, done.priced, done.logged, done.unknown) == (1, 1, 1, 0)
    assert costs(store) == [("gpt-4o", 0.005, None, "logged"), ("ours", 0.0012, None, "priced")]
    assert store.version("d") > version


def test_logged_costs_are_kept_beside_prices_and_come_back(store):
    both_kinds(store)
    store.set_price("ours", OURS)
    done = store.reprice("d", of="all")
    assert (done.changed, done.priced, done.logged) == (2, 2, 0)
    assert costs(store) == [("gpt-4o", 0.0035, 0.005, "priced"), ("ours", 0.0012, None, "priced")]
    assert store.priced_costs("d") == "all"
    assert store.reprice("d", of="all").changed == 0
    assert store.reprice("d").changed == 1
    assert costs(store) == [("gpt-4o", 0.005, None, "logged"), ("ours", 0.0012, None, "priced")]
    assert store.priced_costs("d") == "missing"


def test_a_price_taken_back_leaves_the_cost_unknown_again(store):
    both_kinds(store)
    store.set_price("ours", OURS)
    store.reprice("d")
    store.set_price("OURS", None)
    assert store.model_prices("d")["outdated_costs"].to_list() == [1, 0]
    assert (store.reprice("d").changed, store.prices()) == (1, {})
    assert costs(store)[1] == ("ours", None, None, None)


def test_decisions_ladder_and_tiers_follow(store):
    pair = [call("a", "gpt-4o", **TOKENS, call_index=0), call("a", "ours", **TOKENS, call_index=1)]
    load(store, "d", pair, form="calls")
    store.set_ladder("d", [Pair(None, "ours", "gpt-4o")])
    store.set_price("ours", OURS)
    store.set_price("gpt-4o", Override(input=20.0, output=30.0))
    store.reprice("d")
    # 1200 millionths; 1000 x 20 + 100 x 30 = 23,000 millionths.
    assert decisions(store, "fast_cost_usd, strong_cost_usd, cost_source") == [
        (pytest.approx(0.0012), pytest.approx(0.023), "priced")
    ]
    found = {row["model"]: row for row in store.models("d").to_dicts()}
    assert (found["ours"]["input_usd_per_1m"], found["ours"]["tier"]) == (1.0, "frontier")


def test_each_side_of_a_wide_log_is_priced_by_itself(store):
    wide = {
        **WIDE, "request_id": "r", "fast_model": "ours", "strong_model": "gpt-4o", "fast_cost_usd": None,
        "fast_input_tokens": 1000, "fast_output_tokens": 100,
        "strong_input_tokens": 1000, "strong_output_tokens": 100, "strong_cost_usd": 0.005,
        "strong_cost_source": "logged", "cost_source": "logged",
    }  # fmt: skip
    load(store, "d", [wide], form="decisions")
    store.set_price("ours", OURS)
    columns = "fast_cost_usd, strong_cost_usd, fast_cost_source, strong_cost_source, cost_source"
    store.reprice("d")
    assert decisions(store, columns) == [(pytest.approx(0.0012), 0.005, "priced", "logged", "priced")]
    store.reprice("d", of="all")
    assert decisions(store, columns)[0][1:4] == (pytest.approx(0.0035), "priced", "priced")
    store.set_price("ours", None)
    store.reprice("d")
    assert decisions(store, columns) == [(None, 0.005, None, "logged", "logged")]


def test_a_price_by_hand_holds_for_later_loads_and_the_same_file_is_no_conflict(store):
    store.set_price("ours", OURS)
    both_kinds(store)
    assert costs(store)[1] == ("ours", 0.0012, None, "priced")
    store.set_price("ours", Override(input=5.0, output=5.0))
    store.reprice("d", of="all")
    logged = call("a", "gpt-4o", **TOKENS, cost_usd=0.005, cost_source="logged")
    again = [logged, call("a", "ours", **TOKENS, call_index=1), call("b", "ours", **TOKENS)]
    found = load(store, "d", again, form="calls", file="more.csv")
    assert (found.loaded, found.duplicates, found.conflicts) == (1, 2, [])
    assert [entry[1] for entry in costs(store)] == [0.0035, 0.0055, 0.0055]
    assert costs(store)[0] == ("gpt-4o", 0.0035, 0.005, "priced")


def test_an_answer_from_the_gateways_cache_keeps_its_logged_cost(store):
    hit = call("a", "gpt-4o", **TOKENS, cost_usd=0.0, cost_source="logged", cache_hit=True)
    load(store, "d", [hit], form="calls")
    store.reprice("d", of="all")
    assert costs(store) == [("gpt-4o", 0.0, None, "logged")]
    assert store.model_prices("d")["compared_calls"].to_list() == [0]


def test_the_service_tier_that_the_log_names_has_its_price(store):
    load(store, "d", [call("a", "gpt-4o", **TOKENS, service_tier="batch")], form="calls")
    store.reprice("d")
    assert costs(store)[0][1] == 0.00175  # half of 2500 + 1000 millionths


def test_calls_of_a_tier_without_a_price_are_named_until_one_is_set(store):
    batch = [call(f"r{n}", "mistral/mistral-large-latest", **TOKENS, service_tier="batch") for n in range(3)]
    flex = call("f", "gpt-4o", **TOKENS, service_tier="flex")
    own = call("o", "gpt-4o", **TOKENS, service_tier="batch")
    logged = call("l", "gpt-4o", **TOKENS, service_tier="flex", cost_usd=1.0, cost_source="logged")
    load(store, "d", [*batch, flex, own, logged], form="calls")
    store.reprice("d")
    said = dict(store.model_prices("d").select("model", "reason").iter_rows())
    # The list has neither mistral's batches nor gpt-4o's flex, but gpt-4o's batches; a logged cost is known.
    assert said["mistral/mistral-large-latest"].startswith("3 batch calls cost here what usual calls do")
    assert "1 flex call costs here what usual calls do" in said["gpt-4o"]
    assert "batch" not in said["gpt-4o"]
    store.set_price("mistral/mistral-large-latest", OURS)
    assert (
        dict(store.model_prices("d").select("model", "reason").iter_rows())["mistral/mistral-large-latest"]
        is None
    )


def test_a_failed_repricing_changes_nothing(store, monkeypatch):
    both_kinds(store)
    store.set_price("ours", OURS)
    before = costs(store), store.version("d"), store.priced_costs("d")

    def fails(*_, **__):
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("analytics.logs.store.refreshed", fails)
        with pytest.raises(RuntimeError):
            store.reprice("d", of="all")
    assert (costs(store), store.version("d"), store.priced_costs("d")) == before


def test_joined_grades_stay_as_they_are(store):
    both_kinds(store)
    grade = [{"request_id": "a", "model": "ours", "correct": 1.0, "grader": "correct"}]
    load(store, "d", grade, form="grades", file="grades.csv")
    store.set_price("ours", OURS)
    store.reprice("d", of="all")
    store.reprice("d")
    query = "SELECT model, correct, correct_logged FROM calls WHERE dataset = 'd' ORDER BY model"
    assert rows(store, query) == [("gpt-4o", None, None), ("ours", 1.0, None)]


@pytest.mark.parametrize("wrong", [Override(input=-1.0), Override(output=float("nan")), Override(input=2e6)])
def test_a_price_out_of_range_is_refused(store, wrong):
    with pytest.raises(SchemaError, match="from 0 to 1,000,000 USD per million tokens"):
        store.set_price("m", wrong)
    with pytest.raises(SchemaError, match="1 to 200 characters"):
        store.set_price(" ", OURS)


# 1000 in, 400 of them cached, 100 out: gpt-4o 1500 + 500 + 1000 = 3000 millionths by price.
CACHED = {**TOKENS, "cached_tokens": 400}
REASONS = {
    # 1000 x 2.5 + 1000 = 3500: cached tokens billed as input.
    "cached tokens are billed as any other input": ("gpt-4o", CACHED, [3500] * 20),
    # Half of everything: 1000 x 1.25 + 100 x 5 = 1750.
    "fit the batch price": ("gpt-4o", TOKENS, [1750] * 20),
    # o3: 1000 x 2 + 100 x 8 = 2800, and 60 reasoning tokens x 8 on top.
    "reasoning tokens are billed a second time": ("o3", {**TOKENS, "reasoning_tokens": 60}, [3280] * 20),
    # 3500 x 1.3.
    "steadily 1.30 times the price: a markup": ("gpt-4o", TOKENS, [4550] * 20),
    "steadily 0.80 times the price: a discount": ("gpt-4o", TOKENS, [2800] * 20),
    # All cached: 1000 x 1.25 + 1000 = 2250; costs lie between that and 3500 and differ.
    "part of the input was cached": ("gpt-4o", TOKENS, [2300 + 50 * n for n in range(20)]),
    "20 calls with a logged cost cannot be compared": ("gpt-4o", {}, [3500] * 20),
}


def logged_calls(model, tokens, millionths):
    return [
        call(f"r{n}", model, **tokens, cost_usd=cost / 1e6, cost_source="logged")
        for n, cost in enumerate(millionths)
    ]


@pytest.mark.parametrize(("said", "case"), REASONS.items(), ids=list(REASONS))
def test_the_reason_is_named_where_the_data_show_it(store, said, case):
    load(store, "d", logged_calls(*case), form="calls")
    assert said in store.model_prices("d")["reason"][0]


@pytest.mark.parametrize(
    ("millionths", "off"),
    [([3500] * 20, 0.0), ([3600] * 20, 0.0), ([3500] * 19 + [9000], 0.05), ([9000, 100] * 10, 1.0)],
)
def test_no_reason_is_named_where_costs_agree_or_differ_without_pattern(store, millionths, off):
    load(store, "d", logged_calls("gpt-4o", {**TOKENS, "cached_tokens": 0}, millionths), form="calls")
    found = store.model_prices("d").row(0, named=True)
    assert (found["reason"], found["off_share"]) == (None, off)
    assert found["logged_usd"] == pytest.approx(sum(millionths) / 1e6)
    assert found["priced_usd"] == pytest.approx(20 * 0.0035)
    assert found["ratio"] == pytest.approx(sum(millionths) / 70_000)


def test_unknown_models_come_first_with_calls_and_tokens(store):
    load(
        store, "d", [call("a", "gpt-4o", **TOKENS), *(call(n, "ours", **TOKENS) for n in "bc")], form="calls"
    )
    found = store.model_prices("d")
    assert found["model"].to_list() == ["ours", "gpt-4o"]
    assert found.select("price_source", "calls", "input_tokens", "output_tokens").row(0) == (
        None,
        2,
        2000,
        200,
    )


def test_prices_and_their_use_come_back_after_a_loss(tmp_path):
    path, log = tmp_path / "logs.duckdb", tmp_path / "log.csv"
    log.write_text(
        "request_id,category,model,input_tokens,output_tokens,cost_usd\n"
        "a,law,gpt-4o,1000,100,0.005\nb,law,ours,1000,100,\n"
    )
    with Store.open(path) as store:
        intake.load(store, "d", [log], Answers(prices={"ours": (7.0, 7.0)}))
        store.set_price("ours", Override(input=1.0, output=2.0, cache_read=0.5))
        store.reprice("d", of="all")
        expected, prices = costs(store), store.prices()
    assert expected == [("gpt-4o", 0.0035, 0.005, "priced"), ("ours", 0.0012, None, "priced")]
    path.unlink()
    with Store.open(path) as store:
        assert store.prices() == prices
        recovery.recover(store)
        assert (costs(store), store.prices(), store.priced_costs("d")) == (expected, prices, "all")


def test_a_database_of_the_second_layout_keeps_the_prices_that_came_with_files(tmp_path):
    path = tmp_path / "logs.duckdb"
    with Store.open(path, keep=False) as store:
        both_kinds(store)
    with duckdb.connect(path) as old:  # as it was: no prices, no pricing, tables without the new columns
        old.execute("DROP TABLE prices")
        old.execute("ALTER TABLE datasets DROP COLUMN pricing")
        old.execute("ALTER TABLE calls DROP COLUMN service_tier")
        old.execute('UPDATE files SET answers = \'{"prices": {"ours": [1.0, 2.0]}}\'')
        old.execute("UPDATE meta SET value = '2' WHERE name = 'layout'")
    for _ in range(2):
        with Store.open(path, keep=False) as store:
            (stated,) = store.prices().values()
            assert (stated.input, stated.output, stated.cache_read) == (1.0, 2.0, None)
            store.reprice("d")
            assert costs(store) == [("gpt-4o", 0.005, None, "logged"), ("ours", 0.0012, None, "priced")]
