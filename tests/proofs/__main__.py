"""``python -m tests.proofs NAME...``: simulations of what intervals, bounds and certificates promise."""

import sys

from tests.soak.programs import run

PROGRAMS: dict[str, str] = {
    "certificates": "certificates",
    "experiments": "experiments",
    "regimes": "regimes",
    "since": "since",
}

if __name__ == "__main__":
    sys.exit(run("tests.proofs", PROGRAMS, about=__doc__ or ""))
