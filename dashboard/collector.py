"""Python's garbage collector, which Streamlit runs over the whole process after every run of a script."""

import gc
import sys

_seen = 0


def spare_modules() -> None:
    """Take what is alive out of later collections, if modules were loaded since the last time.

    The libraries' objects outnumber a page's a hundred to one and never become garbage. Looking at them
    again after each run holds up the last messages of a move of a slider by 0.1 s. Cycles that are alive
    here stay for good, which is bounded: modules load a few times in the life of a process.
    """
    global _seen  # noqa: PLW0603 - the process has one collector
    if len(sys.modules) > _seen:
        _seen = len(sys.modules)
        gc.freeze()
