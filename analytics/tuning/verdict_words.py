"""What a certificate promises, or what stands in its way and what it would take, in sentences."""

from analytics.policy import Goal
from analytics.tuning.certificate import Certification, step_costs
from analytics.tuning.picking import margin_of
from analytics.tuning.sample_size import pairs_needed
from analytics.tuning.walks import Walk

_SAFE_SHARE_OF_MARGIN = 0.5


def points(share: float) -> str:
    """A difference of accuracies: ``0.01`` is ``1 point``."""
    value = round(share * 100, 4)
    return f"{value:g} point{'' if value == 1 else 's'}"


def promise(goal: Goal, found: Certification, *, reference: str) -> str:
    """What holds, of a certification that holds a policy."""
    held, pairs = found.held, found.pairs
    if held is None or pairs is None:
        return ""
    sizes = pairs.sizes
    level, n = f"{goal.level:.0%}", sum(sizes.values())
    if goal.scope == "category":
        certain = [name for name in held.certificates if name is not None]
        count = f"each of {len(certain)} categories" if len(certain) > 1 else "one category"
        what = (
            f"is at most {points(margin_of(goal))} less accurate than {reference} in {count}"
            if goal.name == "non-inferior"
            else f"reaches an accuracy of {goal.min_accuracy:.1%} in {count}"
        )
        text = f"With {level} confidence this policy {what}, in all of them at once"
    elif goal.name == "non-inferior":
        text = (
            f"With {level} confidence this policy's accuracy is at most {points(margin_of(goal))} below "
            f"{reference}"
        )
    else:
        text = f"With {level} confidence this policy's accuracy is at least {goal.min_accuracy:.1%}"
    text += f", on requests like the {n:,} graded ones."
    if goal.scope == "overall" and len(sizes) > 1:
        text += " One category alone may lose more."
    if any(item.clustered for item in held.certificates.values()):
        text += " Users have several requests, which the test allows for approximately."
    return text


def shortfall(goal: Goal, found: Certification, *, reference: str) -> str:
    """Why nothing is certified, and how many graded pairs would certify something; empty if something is."""
    if found.held is not None:
        return ""
    if found.obstacle is not None:
        return f"Not certified: {_lowered(found.obstacle)}"
    if not found.walks:
        return _too_few_anywhere(goal, found)
    if goal.scope == "category":
        return _category_shortfall(goal, found)
    walk = found.walks[None][0]
    if goal.name == "min-accuracy":
        return _floor_shortfall(goal, walk, reference=reference)
    return _margin_shortfall(goal, found, walk, reference=reference)


def next_steps(goal: Goal, found: Certification) -> list[str]:
    """How many graded pairs in all would certify the first step, and the cheapest one that looks safe."""
    if goal.name != "non-inferior" or not found.walks or found.ground is None:
        return []
    said = []
    for name, several in found.walks.items():
        walk, of = several[0], "" if name is None else f" in {name}"
        margin = margin_of(goal)
        loss = (walk.lost - walk.won) / max(walk.n, 1)
        costs = step_costs(found.ground, walk)
        beyond = [at for at in range(walk.passed, loss.size) if loss[at] <= margin * _SAFE_SHARE_OF_MARGIN]
        if not beyond:
            continue
        cheapest = min(beyond, key=lambda at: (costs[at], -at))
        needed = _needed(walk, cheapest, margin)
        if needed is None or needed <= walk.n:
            continue
        said.append(
            f"About {needed:,} graded pairs{of} ({needed - walk.n:,} more) would show with 80% chance that "
            f"{_kept(found, walk, cheapest)} holds too."
        )
    return said


def _margin_shortfall(goal: Goal, found: Certification, walk: Walk, *, reference: str) -> str:
    margin, n, least = margin_of(goal), walk.n, walk.test.least_pairs
    if n < least:
        possible = 1 - walk.test.error ** (1 / n) if n else None
        accept = "" if possible is None else f", or accept a margin of {points(_up(possible))}"
        return (
            f"Nothing can be certified from {n:,} graded pairs: even without a single lost answer, "
            f"{least:,} are needed for a margin of {points(margin)} at {goal.level:.0%}. Grade about "
            f"{least - n:,} more pairs{accept}."
        )
    if walk.passed:
        return (
            f"Certified policies do not cost less than {reference}, so none is recommended."
            if found.costs_known
            else "Certified policies escalate no less."
        )
    lost, won = int(walk.lost[0]), int(walk.won[0])
    loss = (lost - won) / n
    if loss >= margin:
        return (
            f"Not certified, and more data will not help: {_kept(found, walk, 0)} loses an estimated "
            f"{points(round(loss, 4))}, more than {points(margin)}. Escalate everything, or choose a larger "
            "margin."
        )
    text = (
        f"Not certified: in {n:,} pairs the first step ({_kept(found, walk, 0)}) lost {lost} and won {won}."
    )
    needed = _needed(walk, 0, margin)
    if needed is not None and needed > n:
        text += f" If those rates hold, about {needed - n:,} more graded pairs would show it (80% chance)."
    return text


def _category_shortfall(goal: Goal, found: Certification) -> str:
    """How many categories were tested in vain, and which is nearest to its first step."""
    count = len(found.walks)
    tested = f"{count} {'category has' if count == 1 else 'categories have'} enough graded pairs to be tested"
    text = f"Nothing is certified: {tested} at once, and no cheaper route passed in any."
    if goal.name != "non-inferior":
        return text
    nearest: tuple[int, str] | None = None
    for name, (walk, *_) in found.walks.items():
        needed = _needed(walk, 0, margin_of(goal))
        if name is not None and walk.passed == 0 and needed is not None and needed > walk.n:
            nearest = min(nearest or (needed - walk.n, name), (needed - walk.n, name))
    if nearest is None:
        return text
    return (
        f"{text} Nearest is {nearest[1]}: about {nearest[0]:,} more graded pairs would show it (80% chance)."
    )


def _floor_shortfall(goal: Goal, walk: Walk, *, reference: str) -> str:
    floor = goal.min_accuracy or 0.0
    if walk.n < walk.test.least_pairs:
        return (
            f"Nothing can be certified from {walk.n:,} graded pairs: even without a single error, "
            f"{walk.test.least_pairs:,} are needed for an accuracy of {floor:.1%}."
        )
    if walk.errors > walk.most_errors:
        return (
            f"Even {reference} is not shown to reach {floor:.1%}: {walk.errors:,} errors in {walk.n:,}, at "
            f"most {max(walk.most_errors, 0):,} allowed."
        )
    if walk.passed:
        return f"Certified policies do not cost less than {reference}, so none is recommended."
    return f"Not certified: keeping even the most confident answers is not shown to reach {floor:.1%}."


def _too_few_anywhere(goal: Goal, found: Certification) -> str:
    sizes = found.pairs.sizes if found.pairs is not None else {}
    most = max(sizes.values(), default=0)
    return (
        f"Nothing can be certified category by category: the largest has {most:,} graded pairs, too few for "
        + (
            f"a margin of {points(margin_of(goal))}."
            if goal.name == "non-inferior"
            else f"an accuracy of {goal.min_accuracy:.1%}."
        )
    )


def _needed(walk: Walk, step: int, margin: float) -> int | None:
    n = max(walk.n, 1)
    return pairs_needed(float(walk.lost[step]) / n, float(walk.won[step]) / n, margin, delta=walk.test.error)


def _kept(found: Certification, walk: Walk, step: int) -> str:
    """``keeping answers with a confidence of at least 0.95``."""
    ground = found.ground
    if ground is None:
        return "keeping answers"
    kept = []
    for name, position in zip(walk.categories, walk.positions[step], strict=True):
        if 0 <= position < ground.confidences[name].size:
            kept.append(float(ground.confidences[name][position]))
    if not kept:
        return "never escalating"
    return f"keeping answers with a confidence of at least {min(kept):g}"


def _up(margin: float) -> float:
    """A margin rounded up to a tenth of a point."""
    return -(-margin // 0.001) * 0.001


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
