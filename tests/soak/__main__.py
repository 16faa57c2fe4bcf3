"""``python -m tests.soak NAME...``: the long proofs of what a bad file or a crash can and cannot do."""

import sys

from tests.soak.programs import run

PROGRAMS: dict[str, str] = {
    "badinputs": "badinputs",
    "pages": "pages",
    "balance": "balance",
    "mutations": "mutations",
    "large": "large",
    "kills": "kills",
    "disk-full": "disk_full",
    "repeats": "repeats",
    "browsers": "browsers",
    "machine": "machine",
}

if __name__ == "__main__":
    sys.exit(run("tests.soak", PROGRAMS, about=__doc__ or ""))
