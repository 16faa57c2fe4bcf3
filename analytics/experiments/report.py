"""One experiment on one page, as Markdown or as HTML, for whoever decides about it."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Literal

from analytics.experiments import saying
from analytics.experiments.effects import Effect, Metric
from analytics.experiments.study import Study
from analytics.paper import Section, Table, markdown, page, plain

Format = Literal["markdown", "html"]
DIFFERS = 0.05
"""P-value below which an effect is said to differ between categories."""
DIFFERS = 0.05
"""P-value below which an effect is said to differ between categories."""
_WIDTH, _ROW = 640, 26


def report(found: Study, *, made: datetime | None = None, log_sha256: str | None = None) -> dict[Format, str]:
    """The report as Markdown and as HTML that needs nothing else, each far below a megabyte.

    Args:
        found: The experiment.
        made: When the report is made; None for now.
        log_sha256: Identity of the log.
    """
    moment = made or datetime.now(UTC)
    sections = _sections(found, moment, log_sha256)
    title = f"Experiment {_named(found)}"
    answer = _answer(found)
    return {
        "markdown": markdown(title, answer, sections),
        "html": page(title, answer, sections, pictures={"By category": _forest(found)}),
    }


def _named(found: Study) -> str:
    return found.reading.scope.experiment or "without a name"


def _answer(found: Study) -> str:
    if found.answer is not None:
        return found.answer.sentence
    blocking = next(item for item in found.reading.validity.findings if item.blocks)
    return f"Nothing is read from this experiment: {blocking.title[0].lower()}{blocking.title[1:]}."


def _sections(found: Study, made: datetime, log_sha256: str | None) -> list[Section]:
    sections = [_arms(found)]
    if found.comparison is not None:
        sections += [_effects(found), *_categories(found), *_time(found)]
    sections.append(_basis(found, made, log_sha256))
    return sections


def _arms(found: Study) -> Section:
    assigned, valid = found.reading.assigned, found.reading.validity
    rows = [
        [
            arm,
            f"{assigned.assigned[arm]:,}",
            f"{assigned.requests[arm]:,}",
            saying.percent(valid.planned[arm]),
        ]
        for arm in found.reading.arms
    ]
    ran = ""
    if assigned.first is not None and assigned.last is not None:
        ran = f"It ran from {_day(assigned.first)} to {_day(assigned.last)}. "
    ratio = f"{ran}Sample ratio: p {saying.p_value(valid.srm_p_value)}; below 0.0005 nothing is read."
    findings = [f"{item.title}. {item.body}" for item in valid.findings]
    if not findings:
        findings = ["Nothing else speaks against comparing the arms."]
    return Section(
        "Is it valid?", [Table(["Arm", assigned.noun, "requests", "planned"], rows), ratio, *findings]
    )


def _effects(found: Study) -> Section:
    compared = found.comparison
    if compared is None:
        return Section("Effects", [])
    rows = [_row(saying.TITLES[metric], metric, effect) for metric, effect in compared.effects.items()]
    parts: list[str | Table] = [
        Table(["Metric", compared.control, compared.treatment, "effect", "relative", "p"], rows)
    ]
    if found.answer is not None:
        parts.append(found.answer.risk)
    if compared.routes is not None:
        share = compared.routes.share(compared.control, compared.treatment)
        parts.append(
            f"The arms differ only in their thresholds, so only the {saying.percent(share)} of requests that "
            "they route differently can differ; effects are those of these requests, scaled to all. Cost per "
            "correct answer and the 95th percentile compare all requests."
        )
    elif compared.not_routed:
        parts.append(compared.not_routed)
    parts += [f"{saying.TITLES[metric]}: {e.reason}." for metric, e in compared.effects.items() if e.reason]
    return Section("Effects", parts)


def _row(name: str, metric: Metric, effect: Effect) -> list[str]:
    return [
        name,
        saying.number(metric, effect.control.value),
        saying.number(metric, effect.treatment.value),
        saying.with_interval(metric, effect.effect, difference=True),
        saying.relative(effect.relative),
        saying.p_value(effect.p_value),
    ]


def _categories(found: Study) -> list[Section]:
    compared = found.comparison
    if compared is None or not compared.by_category:
        return []
    rows = [
        [
            name,
            f"{part['accuracy'].control.n:,}",
            f"{part['accuracy'].treatment.n:,}",
            saying.with_interval("accuracy", part["accuracy"].effect, difference=True),
            saying.p_value(compared.p_adjusted["accuracy"][name]),
            saying.with_interval("cost_usd", part["cost_usd"].effect, difference=True),
        ]
        for name, part in compared.by_category.items()
    ]
    header = ["Category", compared.control, compared.treatment, "accuracy", "p (Holm)", "cost per request"]
    spread = compared.spread["accuracy"]
    said = "Whether the effect differs between categories cannot be told."
    if spread is not None:
        differs = "differs" if spread.p_value < DIFFERS else "does not surely differ"
        said = (
            f"The effect on accuracy {differs} between categories (Cochran's Q {spread.q:.1f} on "
            f"{spread.degrees} degrees of freedom, p {saying.p_value(spread.p_value)}; I squared "
            f"{spread.i_squared:.0%})."
        )
    return [Section("By category", [Table(header, rows), said])]


def _time(found: Study) -> list[Section]:
    rows = []
    for metric, looks in found.looks.items():
        last = looks.last
        if last["effect"] is None or last["low"] is None or last["high"] is None:
            continue
        low, high = (saying.number(metric, last[end], difference=True) for end in ("low", "high"))
        rows.append(
            [
                saying.TITLES[metric],
                saying.number(metric, last["effect"], difference=True),
                f"{low} to {high}",
                saying.p_value(last["p_value"]),
            ]
        )
    if not rows:
        return []
    looks = next(iter(found.looks.values()))
    text = (
        f"These hold however often one looks. An interval made for one look would be wrong in "
        f"{saying.percent(looks.peeking_error, digits=0)} of experiments without a difference, were each of "
        f"{looks.table.height} looks allowed to stop it."
    )
    return [Section("At any time", [Table(["Metric", "effect", "interval", "p"], rows), text])]


def _basis(found: Study, made: datetime, log_sha256: str | None) -> Section:
    assigned = found.reading.assigned
    level = "95%" if found.answer is None else saying.percent(found.answer.accuracy.level, digits=0)
    lines = [
        f"Arms are compared by assignment, whatever route a request took; assigned were {assigned.noun}.",
        f"Intervals of {level}. Allowed loss of accuracy: {100 * found.margin:g} points."
        + ("" if found.value_usd is None else f" A correct answer is worth {saying.money(found.value_usd)}."),
        f"Made {_day(made)} by tiertune {version('tiertune')} with tea-tasting {version('tea-tasting')} and "
        f"scipy {version('scipy')}." + ("" if log_sha256 is None else f" Log {log_sha256}."),
    ]
    if found.comparison is not None:
        methods = dict.fromkeys(effect.effect.method for effect in found.comparison.effects.values())
        lines.insert(1, f"Methods: {'; '.join(methods)}.")
    return Section("What this rests on", lines)


def _forest(found: Study) -> str:
    """Effects on accuracy by category as a drawing; empty without intervals."""
    compared = found.comparison
    if compared is None:
        return ""
    known = [
        (name, estimate.value, estimate.low, estimate.high)
        for name, estimate in (
            *((name, part["accuracy"].effect) for name, part in compared.by_category.items()),
            ("All", compared.effects["accuracy"].effect),
        )
        if estimate.value is not None and estimate.low is not None and estimate.high is not None
    ]
    if not known:
        return ""
    left, right = min(0.0, *(row[2] for row in known)), max(0.0, *(row[3] for row in known))
    start, room = 200, _WIDTH - 220

    def at(value: float) -> float:
        return round(start + room * (value - left) / ((right - left) or 1.0), 1)

    rows = []
    for place, (name, value, low, high) in enumerate(known):
        y = _ROW * place + 16
        rows.append(
            f'<text x="0" y="{y + 5}">{plain(name[:26])}</text>'
            f'<line x1="{at(low)}" x2="{at(high)}" y1="{y}" y2="{y}" stroke="currentColor" stroke-width="2"/>'
            f'<circle cx="{at(value)}" cy="{y}" r="4" fill="currentColor"/>'
        )
    height = _ROW * len(known) + 8
    zero = (
        f'<line x1="{at(0)}" x2="{at(0)}" y1="0" y2="{height}" stroke="currentColor" stroke-dasharray="2 3"/>'
    )
    label = "Effect on accuracy by category with intervals; the dotted line is no effect."
    return (
        f'<svg width="{_WIDTH}" height="{height}" role="img" aria-label="{label}" font-size="14" '
        f'fill="currentColor">{zero}{"".join(rows)}</svg><p class="muted">{label}</p>'
    )


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"
