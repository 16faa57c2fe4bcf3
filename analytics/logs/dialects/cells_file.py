"""The cells file: sums over a log that stays where it is (``collapse.parts``), made by us or by an engine."""

from analytics.logs.dialects.dialect import Dialect, signed
from analytics.logs.schema import CELLS

_NAMES = frozenset(column.name for column in CELLS if column.mappable)

DIALECT = Dialect(
    name="cells",
    title="Cells file: sums over a log, without its rows",
    form="cells",
    recognises=signed("tiertune_cells part"),
    match=lambda name: (name, 0) if name in _NAMES else None,
    note="Everything that needs single requests has to be looked up where the log is.",
)
