"""ClickHouse's engine embedded in a process, by chdb."""

from collections.abc import Iterator

from tests.engines.bench import Log, Run, command, interpreter


def runs(logs: list[Log]) -> Iterator[Run]:
    """What it answers about each log."""
    python = interpreter()
    for log in logs:
        yield Run(log, *command(python, "--engine", "clickhouse", "--parquet", str(log.path)))
