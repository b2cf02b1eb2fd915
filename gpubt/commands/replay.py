"""`gpubt replay`: the run behind a row of a sweep, with its whole folder, checked against the row."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError


def main(arguments: list[str]) -> int:
    """Run one set again. Exit status 3 where it differs from its row."""
    parser = Parser(
        prog="gpubt replay",
        description="Run one set of a sweep again, alone: the ledger, equity and record of a row, whose hash and figures it must have.",
        epilog="exit status: 0 the same, 3 the run differs from its row",
    )
    parser.add_argument("sweep", metavar="SWEEP_DIR", help="the folder of a finished sweep")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--row", metavar="N", help="the set's number")
    which.add_argument("--best", metavar="FIGURE", help="the set with the highest, such as sharpe_ratio")
    which.add_argument("--worst", metavar="FIGURE", help="the set with the lowest")
    parser.add_argument("--out", metavar="DIR", help="where the run goes (default: SWEEP_DIR/runs/N)")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="how to compute: backend, memory, cache, equity, progress, debug")
    chosen = parser.parse_intermixed_args(arguments)
    from gpubt.pipeline import run_backtest
    from gpubt.report.terminal import render
    from gpubt.sweep.replay import differences, row_of, run_config
    from gpubt.sweep.store import Store

    store = Store(Path(chosen.sweep).expanduser())
    row = row_of(store, _number(chosen.row), chosen.best or chosen.worst, highest=chosen.best is not None)
    config, typed = run_config(store, row, chosen.overrides)
    folder = Path(chosen.out).expanduser() if chosen.out else store.folder / "runs" / str(row["set"])
    result = run_backtest(config, folder=folder)
    render(result, arguments=typed)
    found = differences(row, result)
    return _verdict(row, found)


def _verdict(row: dict[str, Any], found: list[str]) -> int:
    if not found:
        print(f"row {row['set']}        the same hash and figures as in the sweep")
        return 0
    print(f"gpubt: row {row['set']} differs: {'; '.join(found)}", file=sys.stderr)
    return 3


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ConfigError(f"--row must be the number of a set, from 0, got {text!r}")
    return int(text)
