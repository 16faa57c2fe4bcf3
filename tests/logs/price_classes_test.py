"""Prices of every class, service tier and length of prompt, against litellm's own arithmetic and by hand."""

import json
import os
import random
import subprocess
import sys

import polars as pl
import pytest

from analytics.logs import price_list
from analytics.logs.meaning.priced import Prices
from analytics.logs.prices import price, stated_pairs
from analytics.logs.rates import Band, Override, Price, Rates, flat

MODELS = [
    "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "gpt-5-mini", "gpt-5.4", "gpt-5.5", "gpt-6-sol",
    "gpt-6-luna", "o3", "o4-mini", "claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "vertex_ai/claude-sonnet-4-5", "gemini/gemini-2.5-pro",
    "gemini/gemini-2.5-flash", "vertex_ai/gemini-2.5-pro", "azure/gpt-4o", "azure/gpt-5-mini", "xai/grok-4.3",
    "mistral/mistral-large-latest", "dashscope/qwen-turbo", "dashscope/qwen3-max",
    "dashscope/qwen-plus-latest", "fireworks_ai/accounts/fireworks/models/deepseek-r1-basic",
]  # fmt: skip
LENGTHS = (1, 17, 1200, 90_000, 128_000, 199_999, 200_000, 200_001, 272_000, 272_001, 400_000)

PROGRAM = """
import json, sys
import litellm
from litellm.types.utils import (
    CacheCreationTokenDetails, CompletionTokensDetailsWrapper, PromptTokensDetailsWrapper, Usage,
)
litellm.suppress_debug_info = True
costs = []
for model, service, sent, made, read, written, hour, thought in json.load(sys.stdin):
    usage = Usage(
        prompt_tokens=sent, completion_tokens=made, total_tokens=sent + made,
        prompt_tokens_details=PromptTokensDetailsWrapper(
            cached_tokens=read, cache_creation_tokens=written,
            cache_creation_token_details=CacheCreationTokenDetails(
                ephemeral_5m_input_tokens=written - hour, ephemeral_1h_input_tokens=hour)),
        completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=thought))
    how = (
        {"call_type": "retrieve_batch"} if service == "batch"
        else {"service_tier": None if service == "standard" else service}
    )
    costs.append(sum(litellm.cost_per_token(model, usage_object=usage, **how)))
print(json.dumps(costs))
"""


def cases():
    """Calls of every model in every service, parts of every size; batch only where the list has a price."""
    rng = random.Random(20261127)  # noqa: S311 - cases, not secrets
    found = []
    for model in MODELS:
        services = {"standard", *price(model).services()} & {"standard", "batch", "flex", "priority"}
        for service in sorted(services):
            for _ in range(8):
                sent, made = rng.choice(LENGTHS), rng.choice((0, 1, 340, 5000))
                read = rng.randint(0, sent)
                written = rng.choice((0, rng.randint(0, sent - read)))
                hour, thought = rng.randint(0, written), rng.randint(0, made)
                found.append((model, service, sent, made, read, written, hour, thought))
    return found


@pytest.fixture(scope="module")
def judged():
    """The cases with what ``litellm.cost_per_token`` says, offline in a process of its own."""
    made = cases()
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(made),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **offline},
    )
    return list(zip(made, json.loads(done.stdout.splitlines()[-1]), strict=True))


def test_every_class_of_27_models_costs_what_litellm_says(judged):
    assert len(judged) >= 300
    assert {case[1] for case, _ in judged} == {"standard", "batch", "flex", "priority"}
    for (model, service, sent, made, read, written, hour, thought), expected in judged:
        found = price(model).cost_usd(
            sent,
            made,
            cached_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=hour,
            reasoning_tokens=thought,
            service=service,
        )
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-18), (model, service, sent, read, written)


def frame_of(judged, side):
    rows = [
        {
            f"{side}model": model, f"{side}input_tokens": sent, f"{side}output_tokens": made,
            f"{side}cached_tokens": read, f"{side}cache_write_tokens": written,
            f"{side}cache_write_1h_tokens": hour, f"{side}reasoning_tokens": thought,
            f"{side}service_tier": None if service == "standard" else service,
        }
        for (model, service, sent, made, read, written, hour, thought), _ in judged
    ]  # fmt: skip
    empty = {f"{side}cost_usd": pl.Float64, f"{side}cost_source": pl.String, "cost_source": pl.String}
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(None, kind).alias(name) for name, kind in empty.items()
    )


@pytest.mark.parametrize("side", ["", "fast_"])
def test_whole_columns_cost_the_same(judged, side):
    found = Prices({}).fill(frame_of(judged, side), side)
    assert found[f"{side}cost_usd"].to_list() == pytest.approx([cost for _, cost in judged], rel=1e-12)
    assert set(found[f"{side}cost_source"]) == {"priced"}


def test_where_the_list_has_no_batch_price_batch_costs_the_usual_price():
    # Named difference: litellm takes half. mistral-large has no batch price in the list.
    found = price("mistral/mistral-large-latest")
    assert "batch" not in found.services()
    assert not found.has("batch")
    assert found.cost_usd(1000, 100, service="batch") == found.cost_usd(1000, 100)


def test_a_tier_that_the_list_prices_like_usual_calls_has_a_price():
    # The list has 1e-06 in and 2e-06 out under the names of batches too.
    found = price("gpt-3.5-turbo-1106")
    assert (found.has("batch"), found.has("flex"), found.services()) == (True, False, ())
    # gpt-4o: batch and priority have prices in the list, flex has none; a price by hand holds for all
    found = price("gpt-4o")
    assert [found.has(name) for name in ("standard", "batch", "flex")] == [True, True, False]
    assert price("gpt-4o", overrides=stated_pairs({"gpt-4o": (1.0, 2.0)})).has("flex")


def test_a_call_with_every_class_is_worked_by_hand():
    # 1000 in: 300 read x 0.1, 150 written for 5 min x 2.5, 50 for 1 h x 4, the other 500 x 2.
    # 200 out: 80 reasoning x 9, 120 x 8. 30 + 375 + 200 + 1000 + 720 + 960 = 3285 millionths.
    found = Price(flat(Rates(2e-6, 8e-6, 0.1e-6, 2.5e-6, 4e-6, 9e-6)))
    cost = found.cost_usd(
        1000, 200, cached_tokens=300, cache_write_tokens=200, cache_write_1h_tokens=50, reasoning_tokens=80
    )
    assert cost == pytest.approx(3285e-6, rel=1e-12)


def test_no_token_is_billed_twice_when_parts_are_larger_than_their_whole():
    # 100 in, said to be 150 cached and 40 written: all 100 are read. 10 out, 30 reasoning: all 10 think.
    found = Price(flat(Rates(2e-6, 8e-6, 1e-6, 3e-6, None, 9e-6)))
    cost = found.cost_usd(100, 10, cached_tokens=150, cache_write_tokens=40, reasoning_tokens=30)
    assert cost == pytest.approx((100 * 1 + 10 * 9) * 1e-6, rel=1e-12)


def test_a_long_prompt_costs_its_own_price_from_the_first_token_on():
    # Up to 200 tokens 1 in and 2 out; above it 3 and 5, for the whole call.
    bands = (Band("standard", -1, Rates(1e-6, 2e-6)), Band("standard", 200, Rates(3e-6, 5e-6)))
    assert Price(bands).cost_usd(200, 10) == pytest.approx(220e-6)
    assert Price(bands).cost_usd(201, 10) == pytest.approx((603 + 50) * 1e-6)
    assert Price(bands).long_above_tokens == 200


def test_a_price_by_hand_holds_for_the_parts_too_unless_they_have_their_own():
    # gpt-4o is listed at 2.5 in, 1.25 cached, 10 out. Input 1 by hand: cached tokens cost 1 too.
    by_input = price("gpt-4o", overrides={"gpt-4o": Override(input=1.0)})
    assert by_input.per_1m() == {
        "input": 1, "output": 10, "cache_read": 1, "cache_write": 1, "cache_write_1h": 1, "reasoning": 10,
    }  # fmt: skip
    by_cache = price("gpt-4o", overrides={"gpt-4o": Override(cache_read=0.5)})
    assert by_cache.per_1m()["cache_read"] == 0.5
    assert (by_cache.per_1m()["input"], by_cache.per_1m()["output"]) == (2.5, 10)


def test_a_whole_price_by_hand_has_no_tiers_and_no_lengths():
    found = price("gemini-2.5-pro", overrides={"gemini-2.5-pro": Override(input=1.0, output=2.0)})
    assert (found.services(), found.long_above_tokens) == ((), None)
    assert found.cost_usd(400_000, 0, service="batch") == pytest.approx(0.4)


def test_half_a_price_of_an_unknown_model_is_none():
    assert price("our-own-model", overrides={"our-own-model": Override(input=1.0)}) is None


def test_the_list_is_dated_by_the_newest_model_that_it_knows():
    # The name gpt-5-2025-08-07 is in every list since litellm 1.106, so the date cannot be before it.
    label, _, day = price_list.price_map_date().partition(", models up to ")
    assert label.startswith("litellm 1.")
    assert day >= "2025-08-07"
