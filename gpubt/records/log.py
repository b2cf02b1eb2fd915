"""The log of a run: one JSON object a line, through the standard `logging` module, kept until the run folder is written.

Attach a handler to `logging.getLogger("gpubt")` to see the same records elsewhere; nothing reaches the screen by itself.
"""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gpubt.records.arrow import plain

if TYPE_CHECKING:
    from gpubt.backends.base import Backend
    from gpubt.config import Config
    from gpubt.data.source import Source

LOGGER = logging.getLogger("gpubt")
LOGGER.addHandler(logging.NullHandler())
MOST = 10_000  # lines of one run


class JsonLines(logging.Formatter):
    """`{"time": ..., "level": ..., "event": ..., other fields}`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; NaN and infinity are null."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()} | getattr(record, "fields", {})
        return json.dumps(plain(fields), ensure_ascii=False, allow_nan=False)


class RunLog(logging.Handler):
    """`with RunLog() as log: log.event("slice resolved", rows=n)` keeps what this thread logs under `gpubt` meanwhile in `log.lines`."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines())
        self.lines: list[str] = []
        self._warned: set[str] = set()
        self._thread = threading.get_ident()

    def __enter__(self) -> RunLog:
        self._level = LOGGER.level
        if not LOGGER.isEnabledFor(logging.INFO):
            LOGGER.setLevel(logging.INFO)
        LOGGER.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        LOGGER.removeHandler(self)
        LOGGER.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record of this run's thread."""
        if record.thread == self._thread and len(self.lines) < MOST:
            self.lines.append(self.format(record))

    def event(self, what: str, **fields: Any) -> None:
        """Log at INFO."""
        LOGGER.info(what, extra={"fields": fields})

    def warning(self, text: str) -> None:
        """Log a warning of the run, once: each of several symbols may have it."""
        if text in self._warned:
            return
        self._warned.add(text)
        LOGGER.warning("warning", extra={"fields": {"text": text}})


def started(log: RunLog, config: Config, source: Source, lo: int, hi: int, backend: Backend, reason: str) -> None:
    """What the run is, which rows it uses, and where it computes."""
    from gpubt import __version__
    from gpubt.records.environment import config_digest

    log.event("run started", version=__version__, config_digest=config_digest(config), strategy=config.strategy.name)
    log.event("slice resolved", symbol=source.symbol, rows_available=source.rows_available, first_row=lo, rows=hi - lo)
    log.event("backend chosen", backend=backend.name, device=backend.device, reason=reason)


def finished(log: RunLog, summary: dict[str, Any], record: dict[str, Any]) -> None:
    """The bars, the phases, the warnings and the result."""
    log.event("bars used", **{name: summary[name] for name in ("rows", "first_timestamp", "last_timestamp", "gaps", "data_digest")})
    for name, phase in record["phases"].items():
        log.event("phase", name=name, **phase)
    for text in summary["warnings"]:
        log.warning(text)
    log.event("run finished", seconds=record["wall_clock_s"], trades=record["trades"], ledger_digest=summary["ledger_digest"])
