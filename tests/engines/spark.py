"""A Spark standalone cluster on this machine: a master and two workers, each a process."""

import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.engines.bench import Log, Run, UnavailableError, command, interpreter, process

WORKERS = 2
_START_S = 120
_CONFIGURED = """spark.driver.host 127.0.0.1
spark.driver.memory 6g
spark.executor.memory 2g
spark.sql.shuffle.partitions 8
spark.ui.enabled false
spark.ui.showConsoleProgress false
"""


def runs(logs: list[Log]) -> Iterator[Run]:
    """What the cluster answers about each log.

    Raises:
        UnavailableError: There is no Java, or no worker comes up.
    """
    if shutil.which("java") is None:
        raise UnavailableError("there is no Java on this machine")
    python = interpreter()
    with _cluster(python) as (master, environment):
        for log in logs:
            words = ("--engine", "spark", "--master", master, "--parquet", str(log.path))
            yield Run(log, *command(python, *words, environment=environment))


@contextlib.contextmanager
def _cluster(python: Path) -> Iterator[tuple[str, dict[str, str]]]:
    (home,) = python.parents[1].glob("lib/python*/site-packages/pyspark")
    script = str(home / "bin" / "spark-class")
    with tempfile.TemporaryDirectory(prefix="tiertune-spark-") as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        (folder / "spark-defaults.conf").write_text(_CONFIGURED, encoding="utf-8")
        environment = {
            "SPARK_CONF_DIR": made, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_HOME": str(home), "PYSPARK_PYTHON": str(python),
        }  # fmt: skip
        port = _free_port()
        address = f"spark://127.0.0.1:{port}"
        told = folder / "master.log"
        where = ["--host", "127.0.0.1", "--webui-port", "0"]
        master = [script, "org.apache.spark.deploy.master.Master", *where, "--port", str(port)]
        stack.enter_context(process(master, environment=environment, log=told))
        for number in range(WORKERS):
            worker = [
                script,
                "org.apache.spark.deploy.worker.Worker",
                *where,
                "--cores",
                "1",
                "--memory",
                "3g",
            ]
            work = ["--work-dir", str(folder / f"work-{number}"), address]
            log = folder / f"worker-{number}.log"
            stack.enter_context(process([*worker, *work], environment=environment, log=log))
        _wait(told)
        yield address, environment


def _wait(told: Path) -> None:
    until = time.monotonic() + _START_S
    while told.read_text(encoding="utf-8", errors="replace").count("Registering worker") < WORKERS:
        if time.monotonic() > until:
            raise UnavailableError(f"no {WORKERS} workers after {_START_S} s")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
