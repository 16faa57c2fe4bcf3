"""What providers' own responses say of tokens. Expected values are worked by hand.

The usages were validated by the types of the clients: ``CompletionUsage`` and ``ResponseUsage`` of openai
3.57.0, ``Usage`` of anthropic 2.14.0, ``GenerateContentResponseUsageMetadata`` of google-genai 3.6.1.
Bedrock's is the ``TokenUsage`` of its Converse API, Portkey's that of its gateway
(``anthropic/chatComplete.ts``).
"""

import pytest

from analytics.logs.dialects import response

CHAT = {
    "prompt_tokens": 200,
    "completion_tokens": 120,
    "total_tokens": 320,
    "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 64},
}
RESPONSE = {
    "input_tokens": 200,
    "output_tokens": 120,
    "total_tokens": 320,
    "input_tokens_details": {
        "cached_tokens": 20,
        "cache_write_tokens": 100,
        "cache_write_tokens_details": {"ttl_12h_tokens": 0, "ttl_30m_tokens": 100},
    },
    "output_tokens_details": {"reasoning_tokens": 64},
}
MESSAGES = {
    "input_tokens": 80,
    "output_tokens": 120,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30},
    "output_tokens_details": {"thinking_tokens": 64},
    "service_tier": "priority",
}
GEMINI = {
    "prompt_token_count": 200,
    "candidates_token_count": 56,
    "thoughts_token_count": 64,
    "cached_content_token_count": 20,
    "total_token_count": 320,
}
INSIDE = {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "reasoning_tokens": 64}
WRITTEN = {**INSIDE, "cache_write_tokens": 100}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"usage": CHAT, "service_tier": "flex"}, {**WRITTEN, "service_tier": "flex"}),
        ({"usage": RESPONSE, "service_tier": "default"}, {**WRITTEN, "service_tier": "default"}),
        # 80 + 20 read + 100 written
        ({"usage": MESSAGES}, {**WRITTEN, "cache_write_1h_tokens": 30, "service_tier": "priority"}),
        # an Anthropic call of an input much larger than its cache: 5000 + 20 + 100
        ({"usage": {**MESSAGES, "input_tokens": 5000}},
         {**WRITTEN, "input_tokens": 5120, "cache_write_1h_tokens": 30, "service_tier": "priority"}),
        ({"usage_metadata": GEMINI}, INSIDE),  # 56 + 64 = 120
        # 200 + 15 from tools
        ({"usage_metadata": {**GEMINI, "tool_use_prompt_token_count": 15, "total_token_count": 335}},
         {**INSIDE, "input_tokens": 215}),
        ({"usageMetadata": {"promptTokenCount": 200, "candidatesTokenCount": 56, "thoughtsTokenCount": 64,
                            "cachedContentTokenCount": 20}}, INSIDE),
        # all of the allowance was thought away, so that there is no candidate
        ({"usage_metadata": {"prompt_token_count": 200, "thoughts_token_count": 64}},
         {"input_tokens": 200, "output_tokens": 64, "reasoning_tokens": 64}),
        ({"usage": {"inputTokens": 80, "outputTokens": 120, "totalTokens": 320, "cacheReadInputTokens": 20,
                    "cacheWriteInputTokens": 100}, "serviceTier": {"type": "flex"}},
         {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "cache_write_tokens": 100,
          "service_tier": "flex"}),
        # Portkey translates Anthropic: 80 + 120 + 100 + 20 = 320
        ({"usage": {"prompt_tokens": 80, "completion_tokens": 120, "total_tokens": 320,
                    "prompt_tokens_details": {"cached_tokens": 20}, "cache_read_input_tokens": 20,
                    "cache_creation_input_tokens": 100}},
         {"input_tokens": 200, "output_tokens": 120, "cached_tokens": 20, "cache_write_tokens": 100}),
        # as xAI has it, the total is 200 + 56 + 64
        ({"usage": {"prompt_tokens": 200, "completion_tokens": 56, "total_tokens": 320,
                    "completion_tokens_details": {"reasoning_tokens": 64}}},
         {"input_tokens": 200, "output_tokens": 120, "reasoning_tokens": 64}),
        # Helicone's gateway tells the life of what was written
        ({"usage": {**CHAT, "prompt_tokens_details": {
            "cached_tokens": 20, "cache_write_tokens": 100,
            "cache_write_details": {"write_5m_tokens": 70, "write_1h_tokens": 30}}}},
         {**WRITTEN, "cache_write_1h_tokens": 30}),
        ('{"usage": {"input_tokens": 80, "output_tokens": 120, "cache_read_input_tokens": 20}}',
         {"input_tokens": 100, "output_tokens": 120, "cached_tokens": 20}),  # JSON text
        ({"usage": {"prompt_tokens": 8, "total_tokens": 8}}, {}),  # of an embedding: no output
        ({"usage": None}, {}), ({"helicone_message": "fetching body"}, {}), ("data: {}", {}), (None, {}),
        ({"usage": [], "service_tier": {"a": 1}}, {}),
    ],
)  # fmt: skip
def test_every_providers_counts_become_ours(body, expected):
    assert response.billed(body) == expected
