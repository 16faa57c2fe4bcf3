"""``python -m analytics`` is the command line."""

import sys

from analytics.cli import main

sys.exit(main())
