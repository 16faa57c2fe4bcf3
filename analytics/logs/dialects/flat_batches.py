"""OpenAI's batch output: one line per request of a batch, with the answer of whichever endpoint it asked.

Names of ``openai`` 3.57.0: ``body`` is a ChatCompletion, a Response or a Completion. Cached tokens, and those
written to a cache, are part of the input's, reasoning tokens of the output's. Whatever tier a body names, it
was billed as a batch. A batch tells no cost and no latency: ``created`` is when the answer was made,
hours after it was asked for.

``custom_id`` is all that a caller may say. Written as pairs (``request=17;category=law;arm=B``) it is read
as such; otherwise it is the request, so that the same id in the batches of two models is one request. The
chance of the answer's tokens is a confidence, where log-probabilities were asked for.
"""

import re
from typing import Any

from analytics.logs.dialects.dialect import Record
from analytics.logs.dialects.flat import Export, dialect, opened, refused, value
from analytics.logs.dialects.response import answer, billed

_BODY = "response.body"
_PAIR = re.compile(r"^\s*([A-Za-z_][\w-]{0,60})\s*[=:]\s*(\S.*?)\s*$")
_BETWEEN = re.compile(r"[;,|&\s]+")
_NO_CHAT = ("list", "moderation", "image", "video")
_SHOWN = 40

_OUTPUT = Export(
    fields={
        "request_id": ("said.request", "custom_id", "id"),
        "call_id": ("id",),
        "ts": (f"{_BODY}.created", f"{_BODY}.created_at"),
        "model": (f"{_BODY}.model",),
        "effort": (f"{_BODY}.reasoning.effort",),
        "status": ("response.status_code",),
    },
    carried=("custom_id",),
    users={"custom_id": ("said",)},
)


def _said(record: Record) -> dict[str, str]:
    """What a custom id says in pairs; nothing where a part of it is no pair."""
    found = record.get("custom_id")
    parts = _BETWEEN.split(found.strip()) if isinstance(found, str) else []
    pairs = [_PAIR.match(part) for part in parts]
    return {pair[1]: pair[2] for pair in pairs if pair} if all(pairs) else {}


def _passed(members: Record) -> str | None:
    body = value(members, _BODY)
    error = value(members, "error") or value(body, "error")
    kind = str(value(body, "object") or "")
    if value(body, "usage") is None and error is not None:
        return f"requests without an answer ({str(value(error, 'code') or 'error')[:_SHOWN]})"
    if kind in _NO_CHAT or kind.startswith("embedding"):
        return f"requests that are no chat ({kind[:_SHOWN]})"
    return None if value(body, "model") is not None else "requests without an answer"


def _computed(members: Record) -> Record:
    body = value(members, _BODY)
    return {**answer(body), **billed(body), "service_tier": "batch"}


_rows = opened(_OUTPUT, computed=_computed, passed=_passed)


def _opened(record: Record) -> Any:
    return _rows({**record, "said": _said(record)})


OUTPUT = dialect(
    "openai_batch",
    "OpenAI batch output",
    _OUTPUT,
    "custom_id response_body response_status_code",
    "custom_id response error id",
    opened=_opened,
    note="A batch tells no cost. Its calls are priced at the list's batch price.",
)
INPUT = refused(
    "openai_batch_input",
    "OpenAI batch input",
    "This is the input of an OpenAI batch: it holds the requests, but no answer, no tokens and no cost. Load "
    "the output of the batch instead (its output_file_id, once it is completed). Nothing was loaded.",
    "custom_id method url body",
)
DIALECTS = (OUTPUT, INPUT)
