"""Calls in somebody's table give the cells that loading them and pairing them would give."""

import numpy as np
import polars as pl
import pytest
from collapsing import assert_same, by_statement
from feature_rows import feature_rows
from stores import load

from analytics.collapse import local
from analytics.collapse.source import READ
from analytics.logs.storage.ladder import Pair
from analytics.logs.store import Store

LADDERS = [[("small", "big")], [("small", "mid@high"), ("mid@high", "big")]]


def calls(requests, *, seed=0):
    """Random calls of three models, some requests with several of one, in an order that a log has."""
    draw = np.random.default_rng(seed)
    rows = []
    for request in range(requests):
        shared = {
            "request_id": f"r{request}", "unit_id": f"u{request % 40}",
            "task_category": [None, "law", "it's"][request % 3],
            "policy_kind": [None, "cascade", "predictive"][draw.integers(3)],
        }  # fmt: skip
        for index in range(draw.integers(1, 4)):
            model, effort = [("small", None), ("mid", "high"), ("mid@high", "high"), ("big", "")][
                draw.integers(4)
            ]
            rows.append(
                {
                    **shared, "call_index": index, "model": model, "effort": effort,
                    "ts": None if draw.random() < 0.1 else np.datetime64("2026-10-01T00:00:00", "us").item(),
                    "served": [None, True, False][draw.integers(3)],
                    "shadow": [None, None, True, False][draw.integers(4)],
                    "confidence": None if draw.random() < 0.3 else draw.integers(21) / 20,
                    "confidence_kind": [None, "predictive", "self_report"][draw.integers(3)],
                    "correct": [None, 0.0, 1.0, 0.5][draw.integers(4)],
                    "input_tokens": None if draw.random() < 0.2 else int(draw.integers(900)),
                    "output_tokens": int(draw.integers(900)),
                    "cost_usd": None if draw.random() < 0.2 else draw.random() / 100,
                    "latency_s": None if draw.random() < 0.2 else draw.random() * 9,
                    "status": [None, "success", "error", "timeout"][draw.integers(4)],
                    "threshold": [None, 0.5][draw.integers(2)],
                    "sampling_probability": [None, 0.25, 0.5][draw.integers(3)],
                    "router_cost_usd": [None, 1e-5][draw.integers(2)],
                    "arm": [None, "a", "b"][draw.integers(3)],
                }
            )  # fmt: skip
    return rows


def converted_grade(row):
    """What a file's conversion makes of a failed call: a wrong answer, unless it was not served."""
    failed = (
        row["status"] in {"error", "timeout"} and row["served"] is not False and row["shadow"] is not True
    )
    return 0.0 if failed and row["correct"] is None else row["correct"]


@pytest.mark.parametrize("ladder", LADDERS, ids=["one step", "two steps"])
def test_calls_give_the_cells_of_their_decisions(ladder):
    rows = calls(600)
    with Store.open(None) as store:
        load(store, "log", [{**row, "correct": converted_grade(row)} for row in rows], form="calls")
        store.set_ladder("log", [Pair(None, *step, at) for at, step in enumerate(ladder)])
        wanted = local.collapsed(store, "log")
    table = pl.DataFrame(rows, infer_schema_length=None)
    assert set(table.columns) <= set(READ["calls"])
    assert_same(by_statement(table, form="calls", ladder=ladder), wanted)
    assert wanted.filter(part="sweep")["escalated"].unique().len() == 3


def test_wide_rows_in_a_table_give_the_cells_of_the_same_rows_loaded():
    rows = feature_rows(800)
    with Store.open(None) as store:
        load(store, "log", rows.to_dicts(), form="decisions")
        wanted = local.collapsed(store, "log")
    # Here three fast and two strong models stand in several pairs.
    assert_same(by_statement(rows, several_pairs=True), wanted)
