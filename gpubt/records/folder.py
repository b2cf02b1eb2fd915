"""The folder of a run. Its files appear together, at the end: a crash or Ctrl-C leaves none of them, and an earlier run's as they were."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gpubt.records.arrow import beside, explained, plain, put_json, put_lines, put_parquet, put_yaml, remove, sync
from gpubt.records.schema import check_benchmark

if TYPE_CHECKING:
    import pyarrow as pa

    from gpubt.records.arrow import Rows

TRADES, EQUITY, SYMBOLS = "trades.parquet", "equity.parquet", "symbols.parquet"
SUMMARY, CONFIG, BENCHMARK, LOG = "summary.json", "config.yaml", "benchmark.json", "run.log.jsonl"


def run_folder(path: Path | None) -> RunFolder:
    """The folder of one run; None: a run that keeps its results in memory."""
    return RunFolder(path)


class RunFolder:
    """`with run_folder(path) as folder:` writes each file under a temporary name; leaving the block without an exception names them all.

    Raises InputError or GpubtError, with the path, when a file can't be written. With `path=None` nothing is written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._pending: dict[Path, Path] = {}

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            for temporary in self._pending.values():
                remove(temporary)

    def _commit(self) -> None:
        for path, temporary in self._pending.items():
            with explained(path):
                sync(temporary)
        for path, temporary in self._pending.items():
            with explained(path):
                os.replace(temporary, path)

    def _write(self, name: str, put: Callable[[Any, Path], None], value: Any) -> None:
        if self.path is None:
            return
        path = self.path / name
        with explained(path):
            if path not in self._pending:
                self._pending[path] = beside(path)
            put(value, self._pending[path])

    def trades(self, make: Callable[[], pa.Table]) -> None:
        """The ledger, made only where it is written."""
        self._write(TRADES, lambda ledger, path: put_parquet(ledger(), path), make)

    def equity(self, table: Rows) -> None:
        """The equity curve: a table, or a schema and batches to stream."""
        self._write(EQUITY, put_parquet, table)

    def symbols(self, table: pa.Table) -> None:
        """A row a symbol."""
        self._write(SYMBOLS, put_parquet, table)

    def summary(self, values: dict[str, Any]) -> None:
        """Digests, counts and metrics; NaN is null."""
        self._write(SUMMARY, put_json, values)

    def config(self, config: Any) -> None:
        """The resolved configuration, a dataclass or a dict."""
        self._write(CONFIG, put_yaml, config)

    def log(self, lines: list[str]) -> None:
        """The log, a JSON object a line."""
        self._write(LOG, put_lines, lines)

    def benchmark(self, values: dict[str, Any]) -> None:
        """The benchmark record. Raises GpubtError for one that its schema refuses."""
        check_benchmark(plain(values))
        self._write(BENCHMARK, put_json, values)
