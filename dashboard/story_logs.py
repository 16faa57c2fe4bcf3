"""What the Logs and Tiers pages say: computed sentences of our own markdown."""

from typing import TYPE_CHECKING

import polars as pl

from dashboard import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard.loading import Task


def answer(datasets: pl.DataFrame, tasks: "Sequence[Task]") -> str:
    """What is loaded; after a drop what became of it."""
    done = [task.report for task in tasks if task.report is not None]
    waiting = sum(not task.busy and task.stage in ("asking", "rejects") for task in tasks)
    parts = []
    if done:
        read = sum(report.read for report in done)
        loaded = sum(report.loaded for report in done)
        parts.append(f"**{words.count(loaded)} of {words.count(read)} records** were loaded just now.")
        parts.append(_left(sum(r.rejected for r in done), sum(r.duplicates for r in done)))
    elif not datasets.is_empty():
        requests = int(datasets["requests"].sum())
        parts.append(
            f"**{words.count(requests)} requests** are loaded in {words.plural(datasets.height, 'dataset')}."
        )
    else:
        parts.append("Nothing is loaded yet.")
    if waiting:
        parts.append(
            f"{words.plural(waiting, 'file')} {'waits' if waiting == 1 else 'wait'} for your word below."
        )
    return " ".join(part for part in parts if part)


def _left(rejected: int, duplicates: int) -> str:
    if not rejected and not duplicates:
        return "Nothing was left out."
    found = [(rejected, "was rejected", "were rejected"), (duplicates, "was a duplicate", "were duplicates")]
    return words.joined([f"{words.count(n)} {one if n == 1 else many}" for n, one, many in found if n]) + "."
