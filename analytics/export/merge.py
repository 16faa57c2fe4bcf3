"""A router's fragment merged into the config that the user has, with nothing else of it touched.

What an earlier export put there is recognised by the names that the fragments give: the public model name
with a category tag (LiteLLM), the end of a decision's name (vLLM Semantic Router), the form of a condition
(Portkey), the key of a flag (flagd). It is replaced, never doubled.
"""

import copy
import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analytics import strict_text
from analytics.errors import SchemaError
from analytics.export.fragment import Fragment, RefusedError, one_line
from analytics.export.gateways import is_our_condition
from analytics.export.json_rewrite import rewritten
from analytics.export.litellm import PUBLIC, is_our_marker
from analytics.export.own_config import OwnConfig, entries, own_config, part
from analytics.export.own_scores import SUFFIX
from analytics.export.yaml_splice import spliced
from analytics.policy_checks import NOTHING_APPLIED, Problems, shown
from analytics.strict_text import Format

FORMS: dict[str, Format] = {
    "litellm-plugin": "yaml",
    "litellm-capability": "yaml",
    "litellm-heuristic": "yaml",
    "vllm-sr": "yaml",
    "portkey": "json",
    "flagd": "json",
}
"""Targets that a config can be merged for, and what it is written in."""
FILES = {
    "litellm": "litellm.yaml",
    "vllm-sr": "vllm-sr.yaml",
    "portkey": "portkey.json",
    "flagd": "flagd.json",
}
CONTEXT = 3
_OURS = ("x-unsupported", "x-expires")
_Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """The user's config with the new thresholds.

    Attributes:
        text: The whole file.
        diff: Unified diff against the old one; empty where nothing changes.
        before: The old file, unchanged, to go back to.
        notes: Sentences on what to look at.
    """

    text: str
    diff: str
    before: str
    notes: tuple[str, ...] = ()


def merged(content: str | bytes, target: str, fragment: Fragment) -> Merged:
    """The user's config with a fragment in it.

    Args:
        content: The user's file, UTF-8.
        target: One of ``FORMS``.
        fragment: What the target's writer gave.

    Raises:
        RefusedError: The target has no config of its own to merge into.
        SchemaError: The file cannot be merged into; all problems are listed.
    """
    if target not in FORMS:
        raise RefusedError(f"{target} has no config to merge into. Targets that have: {', '.join(FORMS)}.")
    problems = Problems("config")
    own = own_config(content, FORMS[target], problems=problems)
    name = FILES["litellm" if target.startswith("litellm") else target]
    ours = strict_text.plain_data(fragment.files[name], file_format=own.form).data
    wanted, lists, notes = _MERGES[name](own.data, ours, problems)
    if own.form == "json" or _is_json(own.text):
        text = rewritten(own.text, wanted)
    else:
        text = _placed(own, lists, _comments(fragment.files[name]))
    _require_same(text, wanted, own)
    before, after = own.text.splitlines(), text.splitlines()
    diff = "\n".join(difflib.unified_diff(before, after, "today", "merged", lineterm="", n=CONTEXT))
    decoded = content if isinstance(content, str) else content.decode("utf-8")
    return Merged(own.restored(text), diff, decoded, tuple(notes))


@dataclass(frozen=True, slots=True)
class _List:
    """New entries of one list, and which of the present ones they replace."""

    path: tuple[str, ...]
    new: list[Any]
    old: Callable[[Any], bool]

    def of(self, items: list[Any]) -> list[Any]:
        """The list with the new entries where the first old one stood, else at its end."""
        first = next((place for place, item in enumerate(items) if self.old(item)), len(items))
        kept = [item for item in items[first:] if not self.old(item)]
        return [*items[:first], *self.new, *kept]


_Wanted = tuple[_Data, list[_List], list[str]]


def _with_lists(data: _Data, lists: list[_List]) -> _Data:
    """The data with the lists changed."""
    found = copy.deepcopy(data)
    for item in lists:
        at = found
        for key in item.path[:-1]:
            if at.get(key) is None:
                at[key] = {}
            at = at[key]
        present = at.get(item.path[-1]) or []
        if item.new or present:
            at[item.path[-1]] = item.of(present)
    return found


def _litellm(data: _Data, ours: _Data, problems: Problems) -> _Wanted:
    known = entries(part(data, ("model_list",), list, problems), "model_list", problems)
    for place, entry in enumerate(known, start=1):
        if not isinstance(entry.get("litellm_params") or {}, dict):
            found = shown(entry["litellm_params"])
            where = f"litellm_params of entry {place} of model_list"
            problems.add((), None, f"{where} is needed as a mapping, found {found}. Mend it")
        elif entry.get("model_name") == PUBLIC and not is_our_marker(entry):
            taken = f"entry {place} of model_list has it already"
            problems.add(
                (),
                None,
                f"The name {PUBLIC} is needed for the router, and {taken}. Give that one another name",
            )
    problems.raise_any()
    lists = [_List(("model_list",), ours["model_list"], is_our_marker)]
    names = {entry.get("model_name") for entry in (*known, *ours["model_list"])}
    asked = {model for entry in ours["model_list"] for model in _models(entry["litellm_params"])}
    lacking = sorted(one_line(name) for name in asked - names)
    notes = []
    if lacking:
        what = "the model {}: add it" if len(lacking) == 1 else "the models {}: add them"
        notes.append(f"model_list lacks {what.format(', '.join(lacking))} before the router starts.")
    return _with_lists(data, lists), lists, notes


def _models(params: _Data) -> list[str]:
    """The models that a marker sends requests to; none for a deployment."""
    config = params.get("complexity_router_config")
    if config is None:
        return []
    judge = config.get("classifier_llm_config", {}).get("model")
    return [*config["tiers"].values(), config["default_model"], *([judge] if judge else [])]


def _vllm(data: _Data, ours: _Data, problems: Problems) -> _Wanted:
    signals, routing = ("routing", "signals", "domains"), ("routing", "decisions")
    domains = entries(part(data, signals, list, problems), ".".join(signals), problems)
    entries(part(data, routing, list, problems), ".".join(routing), problems)
    problems.raise_any()
    names = {domain.get("name") for domain in domains}
    new = [domain for domain in ours["routing"]["signals"]["domains"] if domain["name"] not in names]

    def old(entry: Any) -> bool:
        return isinstance(entry, dict) and str(entry.get("name", "")).endswith(SUFFIX)

    lists = [_List(signals, new, lambda _: False), _List(routing, ours["routing"]["decisions"], old)]
    return _with_lists(data, lists), lists, []


def _portkey(data: _Data, ours: _Data, problems: Problems) -> _Wanted:
    strategy = part(data, ("strategy",), dict, problems)
    mode = strategy.get("mode", "conditional")
    if mode != "conditional":
        found_mode = f"strategy.mode is needed as conditional, found {shown(mode, quoted=False)}"
        problems.add((), None, f"{found_mode}. Make that strategy a target of its own")
    present = part(data, ("strategy", "conditions"), list, problems)
    entries(present, "strategy.conditions", problems)
    targets = entries(part(data, ("targets",), list, problems), "targets", problems)
    problems.raise_any()
    found = {key: value for key, value in copy.deepcopy(data).items() if key not in _OURS}
    new = _List(("strategy", "conditions"), ours["strategy"]["conditions"], is_our_condition)
    notes = []
    before, after = strategy.get("default"), ours["strategy"]["default"]
    conditions = new.of(present)
    found["strategy"] = {**strategy, "mode": "conditional", "conditions": conditions, "default": after}
    if before not in (None, after):
        said = f"went to {one_line(str(before))} and now go to {one_line(after)}"
        notes.append(f"Requests that no condition takes {said}.")
    if any(not is_our_condition(entry) for entry in present):
        notes.append("Your own conditions stay where they are; the first condition that holds decides.")
    names = {target.get("name") for target in targets}
    lacking = [target for target in ours["targets"] if target["name"] not in names]
    found["targets"] = [*targets, *lacking]
    if lacking:
        listed = ", ".join(one_line(target["name"]) for target in lacking)
        notes.append(f"New targets without a provider: {listed}. Put yours and its key into them.")
    found |= {key: ours[key] for key in _OURS if key in ours}
    return found, [], notes


def _flagd(data: _Data, ours: _Data, problems: Problems) -> _Wanted:
    flags = part(data, ("flags",), dict, problems)
    problems.raise_any()
    found = copy.deepcopy(data)
    found.setdefault("$schema", ours["$schema"])
    found["flags"] = {**flags, **ours["flags"]}
    return found, [], []


_MERGES: dict[str, Callable[[_Data, _Data, Problems], _Wanted]] = {
    "litellm.yaml": _litellm,
    "vllm-sr.yaml": _vllm,
    "portkey.json": _portkey,
    "flagd.json": _flagd,
}


def _comments(text: str) -> list[str]:
    """The comments at the head of a fragment, without the one that asks for a merge."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# "))
    return [line for line in lines if not line.startswith("Merge into ")]


def _is_json(text: str) -> bool:
    """Whether a YAML file is JSON as well, which it must then stay."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _placed(own: OwnConfig, lists: list[_List], comments: list[str]) -> str:
    text = own.text
    for item in lists:
        present = part(own.data, item.path, list, Problems())
        try:
            text = spliced(
                text,
                item.path,
                item.new,
                old=lambda place, item=item, present=present: item.old(present[place]),  # type: ignore[misc]
                comments=comments if item is lists[-1] else (),
            )
        except SchemaError as error:
            raise SchemaError(f"{error}. {NOTHING_APPLIED}") from None
    return text


def _require_same(text: str, wanted: _Data, own: OwnConfig) -> None:
    """Make sure, by reading the result, that it says what was there and what is new, and nothing else."""
    try:
        found = strict_text.plain_data(text, file_format=own.form)
    except SchemaError:
        found = None
    if found is None or json.dumps(found.data) != json.dumps(wanted):
        raise SchemaError(
            "A layout is needed in which entries can be put in place, and this file's does not allow it. "
            f"Write its lists with one entry per dash and try again. {NOTHING_APPLIED}"
        )
