"""What the provider's own response says, where a tool keeps it: the answer, its tokens, the service tier.

Input and reasoning are counted in different ways:

- OpenAI (``CompletionUsage`` and ``ResponseUsage`` of openai 3.57.0): cached tokens and those written to the
  cache are among the input, reasoning tokens among the output. A write's life, 30 minutes or 12 hours, has no
  column;
- Anthropic (``Usage`` of anthropic 2.14.0) and Bedrock's Converse: the input leaves out what was read from a
  cache or written to it, the output has thinking;
- Gemini (``GenerateContentResponseUsageMetadata`` of google-genai 3.6.1): thoughts stand beside the
  candidates, and the results of tools beside the prompt, which has the cached content;
- what a gateway translates into OpenAI's form, Portkey for one, may leave a cache's tokens out of the prompt,
  and xAI leaves reasoning out of the output: the total has them.
"""

from typing import Any

from analytics.logs.dialects import usage
from analytics.logs.dialects.dialect import Record
from analytics.logs.dialects.flat import LOGPROB, first, total, value
from analytics.logs.dialects.langfuse_record import text
from analytics.logs.dialects.opening import kept, listing, mean_logprob

SERVICE = ("service_tier", "usage.service_tier", "serviceTier.type")
_USAGE = ("usage", "usage_metadata", "usageMetadata")
_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_COUNTS = {
    "sent": ("prompt_tokens", "input_tokens", "inputTokens", "prompt_token_count", "promptTokenCount"),
    "made": (
        "completion_tokens", "output_tokens", "outputTokens", "candidates_token_count",
        "candidatesTokenCount",
    ),
    "total": ("total_tokens", "totalTokens"),
    "cached": (
        *(f"{group}.cached_tokens" for group in _DETAILS), "cache_read_input_tokens", "cacheReadInputTokens",
        "cached_content_token_count", "cachedContentTokenCount",
    ),
    "written": (
        *(f"{group}.cache_write_tokens" for group in _DETAILS),
        *(f"{group}.cache_creation_tokens" for group in _DETAILS),
        "cache_creation_input_tokens", "cacheWriteInputTokens",
    ),
    "hour": (
        "cache_creation.ephemeral_1h_input_tokens",
        *(f"{group}.cache_creation_token_details.ephemeral_1h_input_tokens" for group in _DETAILS),
        *(f"{group}.cache_write_details.write_1h_tokens" for group in _DETAILS),
    ),
    "thought": (
        *(f"{group}_tokens_details.reasoning_tokens" for group in ("completion", "output")),
        "output_tokens_details.thinking_tokens",
        "thoughts_token_count", "thoughtsTokenCount", "thoughts_tokens",
    ),
}  # fmt: skip
_GEMINI = ("prompt_token_count", "promptTokenCount")
_TOOLS = ("tool_use_prompt_token_count", "toolUsePromptTokenCount")


def answer(body: Any) -> Record:
    """Text of the first answer in a provider's response, and the mean log-probability of its tokens.

    Args:
        body: Of OpenAI's chat completions or responses, or like them.
    """
    choices = listing(value(body, "choices"))
    content = value(choices[0], "message.content") if choices else None
    logprobs = [value(choices[0], "logprobs.content")] if choices else []
    for item in listing(value(body, "output")):
        for part in listing(value(item, "content")):
            content = content or value(part, "text")
            logprobs.append(value(part, "logprobs"))
    tokens = [token for held in logprobs for token in listing(held)]
    return {"answer": text(content), LOGPROB: mean_logprob(value(token, "logprob") for token in tokens)}


def billed(body: Any) -> Record:
    """Tokens and service tier by column, as far as a provider's response tells them.

    Empty of tokens unless it tells both input and output: parts alone would be those of another whole.

    Args:
        body: Of any provider named above; anything else tells nothing.
    """
    service = first(body, SERVICE)
    found = kept({"service_tier": service if isinstance(service, str) else None})
    held = first(body, _USAGE)
    told = counted(held)
    if first(held, _GEMINI) is not None:
        made = told.made if told.made is not None or not told.thought else 0
        columns = usage.columns(told) | {
            "input_tokens": total(told.sent, first(held, _TOOLS)),
            "output_tokens": total(made, told.thought),
        }
    elif _leaves_out_cache(held):
        columns = usage.apart(told)
    else:
        columns = usage.columns(told)
    whole = columns["input_tokens"] is not None and columns["output_tokens"] is not None
    return found | (kept(columns) if whole else {})


def counted(held: Any) -> usage.Counts:
    """Counts under any provider's names for them."""
    return usage.counts({name: first(held, paths) for name, paths in _COUNTS.items()})


def _leaves_out_cache(held: Any) -> bool:
    """Whether a usage is Anthropic's or Bedrock's own, which give no details of their input."""
    if value(held, "inputTokens") is not None:
        return True
    own = value(held, "input_tokens") is not None and value(held, "total_tokens") is None
    return own and first(held, _DETAILS) is None
