"""``python -m tests.proofs NAME...``: what intervals, certificates, alarms and exports promise."""

import sys

from tests.soak.programs import run

PROGRAMS: dict[str, str] = {
    "certificates": "certificates",
    "experiments": "experiments",
    "regimes": "regimes",
    "routers": "routers",
    "since": "since",
    "since-users": "since_users",
}

if __name__ == "__main__":
    sys.exit(run("tests.proofs", PROGRAMS, about=__doc__ or ""))
