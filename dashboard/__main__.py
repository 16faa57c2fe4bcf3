"""The dashboard's server process: Streamlit's command line, which Ctrl-C or TERM ends in order."""

import signal
import sys
from types import FrameType

from streamlit.web.cli import main


def _end(_signal: int, _frame: FrameType | None) -> None:
    """What uvicorn's last act, to raise the signal that stopped it once more, then comes to."""
    sys.exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _end)
    signal.signal(signal.SIGTERM, _end)
    main()
