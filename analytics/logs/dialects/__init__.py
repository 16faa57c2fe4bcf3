"""Shapes of log files that are recognised by their column names.

To add one: a module beside these with a ``DIALECT``, and its entry below. The first that recognises a
file's columns reads it; the call-level table takes whatever is left.
"""

from analytics.logs.dialects import call_level, router_record, wide
from analytics.logs.dialects.dialect import Dialect

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (router_record.DIALECT, wide.DIALECT, call_level.DIALECT)
}
