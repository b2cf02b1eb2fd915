"""`gpubt check`: what a strategy says and takes, and whether it sees the future."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError

if TYPE_CHECKING:
    from gpubt.config import Config
    from gpubt.data.load import Rows

MOST = 20_000  # bars that look-ahead is tested on, after the warm-up
LOOKAHEAD = "lookahead"  # the word that asks for this alone

HELP = """Say what a strategy's rules are, what they read and take, and test that none sees the future:

  gpubt check strategy=trend_pullback strategy.params.fast=30
  gpubt check lookahead strategy=mine --config-dir my data.path=bars.parquet

The test computes the signals and levels of the first bars again with all later bars cut off, and with others in
their place, at several places: what was before must stay. Exit status 1: it did not."""


def main(arguments: list[str]) -> int:
    """Print what was found. 1 where the future is seen, else 0."""
    import argparse

    parser = Parser(prog="gpubt check", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for gpubt run; the word lookahead: only the test")
    parser.add_argument("--config-dir", "-cd", metavar="DIR", help="your own configuration files")
    chosen = parser.parse_intermixed_args(arguments)
    alone = chosen.overrides[:1] == [LOOKAHEAD]
    from gpubt.caches import set_numba_cache
    from gpubt.compose import configuration
    from gpubt.report.check import text

    set_numba_cache()
    config = configuration(chosen.overrides[alone:], chosen.config_dir)
    if config.data.symbols is not None:
        raise ConfigError("gpubt check takes one symbol: give data.symbol in the place of data.symbols")
    if config.data.frac == "ask":
        raise ConfigError("gpubt check can't ask: give data.frac as a number")
    status = 0
    for parts, seen in _parts(config, alone):
        sys.stdout.write(text(parts))
        sys.stdout.flush()
        status = max(status, seen)
    return status


def _parts(config: Config, alone: bool) -> Iterator[tuple[Iterator[Any], int]]:
    """What is printed as soon as it is known, with the exit status that follows from it."""
    from gpubt.data.load import load, select
    from gpubt.lookahead import differences
    from gpubt.report.check import about, opens, verdict
    from gpubt.strategy.outline import outline
    from gpubt.strategy.plan import plan

    planned = plan(config)
    found, rows = outline(config, planned), select(config)
    if not alone:
        at = rows.lo + (found.entry or 0)
        yield about(found, rows.n, opens(int(rows.source.times(at, at + 1)[0])) if at < rows.hi else None), 0
    bars = load(config, _some(rows, max(found.series.values(), default=0)), planned.columns).bars
    tried, differ = differences(config, bars)
    yield verdict(bars, tried, differ), int(bool(differ))


def _some(rows: Rows, warm_up: int) -> Rows:
    """The first of the rows, enough of them behind the warm-up."""
    from dataclasses import replace

    return replace(rows, hi=min(rows.hi, rows.lo + warm_up + MOST))
