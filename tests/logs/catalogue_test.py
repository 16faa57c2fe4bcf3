"""Datasets: listed, renamed, deleted, versioned; their models, tiers and remembered mappings."""

import subprocess

import pytest
from stores import WIDE, load, rows, wide

from analytics.errors import SchemaError
from analytics.logs.storage.ladder import Pair


def test_a_renamed_dataset_keeps_all_it_has(store):
    load(store, "law", wide(3), form="decisions")
    before, sha = store.version("law"), store.log_sha256("law")
    store.rename("law", '  Law\'s "2026"; DROP TABLE files; -- ')
    name = 'Law\'s "2026"; DROP TABLE files; --'
    assert store.datasets()["name"].to_list() == [name]
    assert store.version(name) > before
    assert store.log_sha256(name) == sha
    assert store.models(name)["model"].to_list() == ["gpt-5-mini", "gpt-6-sol"]
    assert store.ladder(name).pairs == (Pair("law", "gpt-5-mini", "gpt-6-sol", 0),)
    assert load(store, name, wide(3), form="decisions").duplicates == 3


def test_a_name_in_use_is_refused(store):
    load(store, "law", wide(3), form="decisions")
    load(store, "maths", wide(3), form="decisions")
    with pytest.raises(SchemaError, match="named maths already"):
        store.rename("law", "maths")
    assert store.datasets()["name"].to_list() == ["law", "maths"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\0b"])
def test_an_unusable_name_is_refused(store, name):
    with pytest.raises(SchemaError, match="1 to 200 characters"):
        load(store, name, wide(1), form="decisions")


def test_a_deleted_dataset_leaves_nothing_and_its_version_never_comes_back(store):
    load(store, "law", wide(3), form="decisions")
    load(store, "maths", wide(2), form="decisions")
    before = store.version("law")
    store.delete("law")
    for table in ("decisions", "files", "models", "ladder"):
        assert rows(store, f"SELECT DISTINCT dataset FROM {table}") == [("maths",)]
    assert load(store, "law", wide(3), form="decisions").loaded == 3
    assert store.version("law") > before


def test_an_unknown_dataset_is_named_with_those_that_exist(store):
    load(store, "law", wide(1), form="decisions")
    for action in (store.delete, store.version, lambda name: store.rename(name, "x")):
        with pytest.raises(SchemaError, match=r"no dataset named lwa\. Found: law\."):
            action("lwa")


def test_every_change_gives_a_new_version(store):
    load(store, "law", wide(1), form="decisions")
    seen = [store.version("law")]
    load(store, "law", [{**WIDE, "request_id": "new"}], form="decisions", file="more.csv")
    seen.append(store.version("law"))
    store.set_tier("law", "gpt-6-sol", "frontier")
    seen.append(store.version("law"))
    assert seen == sorted(set(seen))


def test_the_catalogue_tells_what_a_log_has(store):
    # Three rows: confidence on 2, fast grade on 2, both grades on 1, cost on 1, latency on none.
    load(
        store,
        "law",
        [
            {"request_id": "a", "confidence": 0.1, "fast_correct": 1.0, "strong_correct": 0.0},
            {"request_id": "b", "confidence": 0.2, "fast_correct": 0.5, "task_category": "x"},
            {"request_id": "c", "fast_cost_usd": 0.1},
        ],
        form="decisions",
    )
    found = store.datasets().row(0, named=True)
    assert found["categories"] == 2
    assert found["files"] == 1
    shares = [found[f"{name}_share"] for name in ("confidence", "graded", "both_graded", "cost", "latency")]
    assert shares == [2 / 3, 2 / 3, 1 / 3, 1 / 3, 0.0]
    assert found["first_ts"] is None


def test_an_empty_store_has_an_empty_catalogue_with_its_columns(store):
    found = store.datasets()
    assert found.is_empty()
    assert {"name", "form", "requests", "badge", "version", "both_graded_share"} <= set(found.columns)


def test_a_mapping_is_remembered_and_replaced(store):
    assert store.saved_mapping("s") is None
    store.save_mapping("s", '{"a": 1}')
    store.save_mapping("s", '{"a": 2}')
    assert store.saved_mapping("s") == '{"a": 2}'


def test_the_log_is_known_by_its_files(store):
    # printf '%s\n%s' $(printf a.csv | sha256sum) ... | sha256sum, ids sorted: 3b... before d8...
    load(store, "law", wide(1), form="decisions", file="a.csv")
    load(store, "law", [{**WIDE, "request_id": "z"}], form="decisions", file="b.csv")
    ids = sorted(store.files("law")["file_id"].to_list())
    pipe = subprocess.run(["sha256sum"], input="\n".join(ids), capture_output=True, text=True, check=True)
    assert store.log_sha256("law") == pipe.stdout.split()[0]


def test_a_tier_set_by_hand_stays(store):
    load(store, "law", wide(1), form="decisions")
    assert store.models("law")["tier"].to_list() == ["standard", "reasoning"]
    store.set_tier("law", "gpt-6-sol", "frontier")
    load(store, "law", [{**WIDE, "request_id": "new"}], form="decisions", file="more.csv")
    found = store.models("law").row(1, named=True)
    assert (found["tier"], found["tier_source"]) == ("frontier", "hand")
    store.set_tier("law", "gpt-6-sol", None)
    found = store.models("law").row(1, named=True)
    assert (found["tier"], found["tier_source"]) == ("reasoning", "price")


def test_an_unknown_tier_or_model_is_refused(store):
    load(store, "law", wide(1), form="decisions")
    with pytest.raises(SchemaError, match="small, standard, frontier, reasoning"):
        store.set_tier("law", "gpt-6-sol", "huge")
    with pytest.raises(SchemaError, match="no model nobody"):
        store.set_tier("law", "nobody", "small")


def test_given_prices_win_and_stay(store):
    load(store, "law", wide(1), form="decisions", prices={"gpt-6-sol": (0.1, 0.1)})
    load(store, "law", [{**WIDE, "request_id": "new"}], form="decisions", file="more.csv")
    found = store.models("law").row(1, named=True)
    assert (found["input_usd_per_1m"], found["output_usd_per_1m"], found["tier"]) == (0.1, 0.1, "small")


def test_a_log_of_the_other_form_is_refused_and_nothing_is_loaded(store):
    load(store, "law", wide(1), form="decisions")
    with pytest.raises(SchemaError, match="one row per request, this file one row per model call"):
        load(store, "law", [{"request_id": "a", "model": "m"}], form="calls", file="calls.csv")
    assert store.files("law").height == 1
