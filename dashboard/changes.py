"""A change to what is loaded, made from a page: done, told, and the page drawn anew."""

from collections.abc import Callable

import streamlit as st

from analytics.errors import TiertuneError
from dashboard import reasons, state


def tried(change: Callable[[], None], done: str | None, *, doing: str = "", shows: str | None = None) -> None:
    """Make a change and draw the page anew; what it refuses is said on the spot.

    Args:
        change: What to do.
        done: Sentence once it is done; None where the change tells by itself.
        doing: Shown while it takes long.
        shows: Dataset that the sidebar shows from then on; None: the same.
    """
    try:
        if doing:
            with st.spinner(doing, show_time=True):
                change()
        else:
            change()
    except TiertuneError as error:
        st.error(reasons.said(str(error)), icon=":material/error:")
        return
    if shows is not None:
        state.open_next(shows)
    if done is not None:
        st.toast(done, icon=":material/check:")
    st.rerun()
