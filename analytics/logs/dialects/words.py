"""Names that people give to the fields of a log, best first; those after ``"?"`` are to be looked at.

Durations are listed without their unit: ``latency`` also stands for ``latency_ms`` and ``latency_seconds``.
"""

from analytics.logs.dialects.dialect import DURATION_UNITS, WEAK, Match, ranked

_REQUEST = {
    "request_id": (
        "requestid", "req_id", "query_id", "question_id", "question_idx", "question_index",
        "global_index", "prompt_id", "example_id", "sample_id", "item_id", "record_id", "trace_id", "uuid",
        "id", "?", "custom_id", "index", "idx", "row_id", "row_idx", "row_index",
    ),
    "ts": (
        "timestamp", "time", "created_at", "created", "datetime", "date_time", "request_time", "requested_at",
        "request_created_at", "logged_at", "event_time", "start_time", "started_at", "tstamp", "received_at",
        "timestamp_utc", "ts_utc", "?", "date", "day", "updated_at", "end_time",
    ),
    "task_category": (
        "category", "task_type", "task", "task_name", "domain", "subject", "topic", "intent", "use_case",
        "question_type", "query_type", "request_type", "prompt_category", "function_name",
        "?", "dataset", "benchmark", "type",
    ),
    "segment": ("customer_tier", "customer_segment", "user_segment", "plan", "cohort"),
    "policy_kind": ("router_kind",),
    "confidence": (
        "fast_confidence", "conf", "confidence_score", "model_confidence", "self_confidence",
        "stated_confidence", "verbal_confidence", "verbalized_confidence", "self_reported_confidence",
        "fast_model_confidence", "certainty", "p_correct", "p_true", "prob_correct", "self_verification",
        "verifier_score", "?", "self_eval", "mean_logprob", "avg_logprob", "logprob", "mean_logp", "avg_logp",
    ),
    "confidence_kind": ("confidence_type", "confidence_source"),
    "router_cost_usd": ("router_cost", "routing_cost", "classifier_cost", "classifier_cost_usd"),
    "router_latency_s": ("router_latency", "routing_latency", "classifier_latency"),
    "escalated": (
        "is_escalated", "was_escalated", "routed_to_strong", "used_strong", "deferred", "escalate",
        "?", "escalation", "action",
    ),
    "threshold": (
        "threshold_in_force", "confidence_threshold", "escalation_threshold", "route_threshold", "tau",
    ),
    "propensity": ("propensity_score", "action_probability", "action_prob", "p_action", "pscore"),
    "sampling_probability": (
        "sample_probability", "sampling_rate", "sample_rate", "shadow_rate", "shadow_probability", "p_shadow",
    ),
    "cost_source": (),
    "correct_source": ("grader", "graded_by", "grade_source", "label_source"),
    "unit_id": (
        "user_id", "userid", "user", "session_id", "session", "customer_id", "account_id", "conversation_id",
        "episode_id", "end_user", "client_id", "?", "tenant_id",
    ),
    "experiment": ("experiment_name", "experiment_id", "test_name"),
    "arm": (
        "variant", "variant_name", "group", "bucket", "experiment_arm", "experiment_group",
        "experiment_variant", "ab_group", "test_group", "treatment_group", "treatment",
    ),
    "attributes": (),
    "prompt": ("prompt_text", "question", "query", "input", "input_text"),
    "answer": ("answer_text", "response", "response_text", "output", "output_text", "completion"),
}  # fmt: skip

_ANSWER = {
    "cost_source": (),
    "correct": (
        "is_correct", "correctness", "grade", "score", "accuracy", "acc", "perf", "performance", "passed",
        "?", "quality", "pass", "reward", "success", "label",
    ),
    "cost_usd": (
        "total_cost_usd", "usd_cost", "cost_in_usd", "cost_dollars", "cost", "total_cost", "inference_cost",
        "request_cost", "response_cost", "spend", "price", "cost_cents",
    ),
    "latency_s": (
        "latency", "total_latency", "duration", "elapsed", "elapsed_time", "response_time",
        "request_duration", "processing_time", "inference_time", "e2e_latency", "wall_time", "time_taken",
        "delay", "runtime",
        "total_time", "execution_duration",
    ),
    "input_tokens": (
        "prompt_tokens", "tokens_in", "in_tokens", "tokens_prompt", "n_input_tokens", "num_input_tokens",
        "input_token_count", "prompt_token_count", "tokens_input", "native_tokens_prompt",
    ),
    "output_tokens": (
        "completion_tokens", "tokens_out", "out_tokens", "tokens_completion", "generated_tokens",
        "response_tokens", "n_output_tokens", "num_output_tokens", "output_token_count",
        "completion_token_count", "tokens_output", "native_tokens_completion",
        "?", "token_length", "tokens", "token_count", "n_tokens", "num_tokens",
    ),
    "reasoning_tokens": ("thinking_tokens", "reasoning_token_count", "native_tokens_reasoning"),
    "cached_tokens": (
        "cached_input_tokens", "cache_read_tokens", "cache_read_input_tokens", "input_cached_tokens",
        "prompt_cache_read_tokens", "native_tokens_cached",
    ),
    "cache_write_tokens": (
        "cache_creation_tokens", "cache_creation_input_tokens", "cache_write_input_tokens",
        "prompt_cache_write_tokens",
    ),
    "cache_write_1h_tokens": ("cache_creation_1h_tokens", "ephemeral_1h_input_tokens"),
    "service_tier": (),
    "model": (
        "model_name", "model_used", "llm", "llm_model", "request_model", "response_model",
        "provided_model_name", "model_id", "?", "engine", "deployment",
    ),
}  # fmt: skip

_CALL = {
    "call_id": ("observation_id", "span_id", "generation_id", "inference_id", "litellm_call_id"),
    "call_index": ("call_no", "call_number", "call_idx", "attempt", "attempt_no", "step"),
    "tier": ("model_tier", "tier_name"),
    "tier_logged": (),
    "effort": ("reasoning_effort", "thinking_effort"),
    "served": ("is_served", "was_served"),
    "shadow": ("is_shadow", "shadow_call"),
    "ttft_s": ("ttft", "time_to_first_token", "first_token_latency"),
    "cache_hit": ("cached", "from_cache", "is_cached"),
    "status": ("call_status", "request_status", "response_status", "status_code", "?", "state", "outcome"),
}  # fmt: skip

_DURATIONS = frozenset({"router_latency_s", "latency_s", "ttft_s"})
_CONFIDENCE_ENDINGS = ("_confidence", "_conf")


def _with_units(table: dict[str, Match]) -> dict[str, Match]:
    """The table, with every duration also under its name with a unit."""
    timed = {
        f"{name.removesuffix('_s')}_{unit}": match
        for name, match in table.items()
        if match[0] in _DURATIONS
        for unit in DURATION_UNITS
    }
    return {**timed, **table}


REQUEST = _with_units(ranked(_REQUEST))
ANSWER = _with_units(ranked(_ANSWER))
CALL = _with_units(ranked(_CALL))


def confidence_like(name: str) -> Match | None:
    """Any ``..._confidence`` that no list has, e.g. ``logit_perplexity_confidence``: weak."""
    return ("confidence", WEAK) if name.endswith(_CONFIDENCE_ENDINGS) else None
