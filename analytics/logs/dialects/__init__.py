"""Shapes of log files that are recognised by the names in them.

To add one: a module beside these with a ``DIALECT``, and its entry below. Exports of tools come first,
then plain tables; the call-level table takes whatever is left.
"""

from collections.abc import Iterable

from analytics.logs.dialects import (
    call_level,
    cells_file,
    flat_batches,
    flat_gateways,
    flat_inferences,
    flat_runs,
    flat_traces,
    flat_weave,
    grade_table,
    grading_sheet,
    langfuse,
    langfuse_scores,
    litellm,
    otel,
    phoenix,
    router_record,
    wide,
)
from analytics.logs.dialects.dialect import Dialect, plain

TOOLS: tuple[Dialect, ...] = (
    *grading_sheet.DIALECTS,
    *langfuse_scores.DIALECTS,
    *langfuse.DIALECTS,
    *otel.DIALECTS,
    *phoenix.DIALECTS,
    *litellm.DIALECTS,
    *flat_gateways.DIALECTS,
    *flat_batches.DIALECTS,
    *flat_inferences.DIALECTS,
    *flat_runs.DIALECTS,
    *flat_traces.DIALECTS,
    *flat_weave.DIALECTS,
)
TABLES: tuple[Dialect, ...] = (
    cells_file.DIALECT,
    router_record.DIALECT,
    wide.DIALECT,
    call_level.DIALECT,
)
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (*TOOLS, *TABLES, grade_table.DIALECT)}


def tool_of(names: frozenset[str], *, grades: bool = False) -> Dialect | None:
    """The tool whose records have these names, each plain (``dialect.record_names``); None for a plain table.

    Args:
        names: Of the records.
        grades: Whether only tools' files of grades are meant.
    """
    found = (tool for tool in TOOLS if tool.form == "grades" or not grades)
    return next((tool for tool in found if tool.recognises(names)), None)


def table_of(columns: Iterable[str], *, grades: bool = False) -> Dialect:
    """The shape of a plain table with these column names.

    Args:
        columns: As they stand in the file.
        grades: Whether its rows are grades of a log that is loaded already.
    """
    names = frozenset(plain(name) for name in columns)
    return grade_table.DIALECT if grades else next(table for table in TABLES if table.recognises(names))
