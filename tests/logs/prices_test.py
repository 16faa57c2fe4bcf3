"""Prices of the installed price map, checked against litellm's own arithmetic."""

import json
import os
import subprocess
import sys

import pytest

from analytics.logs.prices import Override, effort_of, price, price_map_date, tier_of
from analytics.logs.rates import Price, Rates, flat

MODELS = [
    "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini", "openai/gpt-4o", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano",
    "gpt-4", "gpt-4-turbo", "gpt-4-0613", "gpt-3.5-turbo", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro",
    "gpt-5.1", "gpt-5.2", "gpt-5.4-mini", "gpt-5.5", "gpt-6-luna", "gpt-6-sol", "o1", "o1-pro", "o3",
    "o3-mini", "o3-pro", "o4-mini", "o4-mini-2025-04-16", "claude-haiku-4-5", "claude-sonnet-4-5",
    "claude-sonnet-4-5-20250929", "claude-opus-4-5", "claude-opus-5-5", "anthropic/claude-sonnet-4-5",
    "gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash", "gemini/gemini-2.5-flash-lite", "gemini-2.5-pro",
    "vertex_ai/gemini-2.5-flash", "gemini-3.5-flash-lite", "deepseek/deepseek-reasoner",
    "deepseek/deepseek-chat", "azure/gpt-4o", "azure/gpt-4.1", "mistral/mistral-large-latest",
    "perplexity/sonar", "gpt-4o-2024-05-13", "gpt-4o-2024-11-20", "o3-2025-04-16", "gpt-5-2025-08-07",
    "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
]  # fmt: skip

PROGRAM = """
import json, sys
import litellm
from litellm.types.utils import PromptTokensDetailsWrapper, Usage
litellm.suppress_debug_info = True
costs = {}
for model in json.load(sys.stdin):
    plain = litellm.cost_per_token(model, prompt_tokens=1200, completion_tokens=340)
    usage = Usage(prompt_tokens=1200, completion_tokens=340, total_tokens=1540,
                  prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=500))
    cached = litellm.cost_per_token(model, usage_object=usage)
    costs[model] = [sum(plain), sum(cached)]
print(json.dumps(costs))
"""


def test_fifty_models_cost_what_litellm_says():
    """The other implementation: litellm.cost_per_token, run offline in a process of its own."""
    offline = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        input=json.dumps(MODELS),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **offline},
    )
    expected = json.loads(done.stdout.splitlines()[-1])
    assert len(expected) == len(MODELS) >= 50
    for model, (plain, cached) in expected.items():
        found = price(model)
        assert found is not None, model
        assert found.cost_usd(1200, 340) == pytest.approx(plain, rel=1e-12), model
        assert found.cost_usd(1200, 340, cached_tokens=500) == pytest.approx(cached, rel=1e-12), model


def test_the_map_is_read_without_importing_litellm():
    program = (
        "import sys; from analytics.logs.prices import price; assert price('gpt-4o'); "
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'litellm']"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("logged", "listed"),
    [
        ("GPT-4o", "gpt-4o"),
        (" gpt-4o ", "gpt-4o"),
        ("gpt-4o-2031-01-01", "gpt-4o"),
        ("my-gateway/openai/gpt-4o", "gpt-4o"),
        ("o3@high", "o3"),
        ("openai/o3@high", "o3"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("gpt-4o-latest", "gpt-4o"),
    ],
)
def test_full_dated_and_prefixed_names_are_matched(logged, listed):
    assert price(listed) is not None
    assert price(logged) == price(listed)


@pytest.mark.parametrize(
    "logged",
    ["our-own-model", "", "@high", "qwen3-32b", "Llama-3.3-70B-Instruct", "///", "groq/gpt-oss-of-ours"],
)
def test_an_unknown_or_ambiguous_name_has_no_price(logged):
    # The last names are sold by several providers at different prices: none of them is chosen.
    assert price(logged) is None


def test_a_price_given_by_hand_wins():
    found = price("gpt-4o@high", overrides={"GPT-4o": Override(input=1.0, output=2.0)})
    assert found is not None
    assert (found.input_usd, found.output_usd) == (1e-6, 2e-6)
    own = price("our-own-model", overrides={"our-own-model": Override(input=0.1, output=0.2)})
    assert own is not None
    assert own.cost_usd(1_000_000, 1_000_000) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("paid", "sold", "reasons", "effort", "tier"),
    [
        # Blended at 3:1. 0.10 / 0.40 -> 0.175; 0.40 / 1.60 -> 0.70; 2.50 / 10 -> 4.375; 15 / 60 -> 26.25.
        (0.10, 0.40, False, None, "small"),
        (0.40, 1.60, False, None, "standard"),
        (2.50, 10.0, False, None, "frontier"),
        (15.0, 60.0, True, None, "reasoning"),
        (15.0, 60.0, False, None, "frontier"),
        (2.0, 8.0, True, None, "reasoning"),
        (2.0, 8.0, True, "none", "frontier"),
        (0.25, 2.0, True, None, "standard"),
        (0.25, 2.0, True, "high", "reasoning"),
        (0.25, 2.0, True, "low", "standard"),
        (0.25, 2.0, False, "high", "standard"),
        (0.25, 0.25, False, None, "standard"),
        (0.0, 0.0, False, None, "small"),
    ],
)
def test_price_and_effort_give_the_tier(paid, sold, reasons, effort, tier):
    found = Price(flat(Rates(paid / 1e6, sold / 1e6)), supports_reasoning=reasons)
    assert tier_of(found, effort) == tier


def test_without_a_price_there_is_no_tier():
    assert tier_of(None, "high") is None


@pytest.mark.parametrize(
    ("label", "effort"),
    [("o3@high", "high"), ("o3", None), ("claude-sonnet-4-5@20250929", None), ("qwen3-32b@think", "think")],
)
def test_the_effort_stands_behind_the_at_sign(label, effort):
    assert effort_of(label) == effort


def test_the_price_map_is_named_with_its_version():
    assert price_map_date().startswith("litellm 1.")
