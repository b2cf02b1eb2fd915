"""`gpubt bench`: the suite at a named size, printed and recorded; `gpubt bench aggregate` puts records together."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError

LEAST = 1_000  # bars: fewer leave fractions of them without trades


def main(arguments: list[str]) -> int:
    """Run the suite. Exit status 3 where a criterion is not met, 1 where results differ."""
    if arguments[:1] == ["aggregate"]:
        return int(import_module("gpubt.commands.bench_aggregate").aggregate(arguments[1:]))
    from gpubt.bench.suite import SIZES, run_suite

    chosen = _parser().parse_args(arguments)
    size = SIZES[chosen.size]
    size = replace(size, bars=_number("bars", chosen.bars, size.bars, LEAST), rounds=_number("rounds", chosen.rounds, size.rounds, 1))
    from gpubt.bench.screen import lines
    from gpubt.bench.timing import written

    outcome = run_suite(size, lambda line: print(f"gpubt: {line}", file=sys.stderr, flush=True))
    name = f"bench-{chosen.size}" if size.bars == SIZES[chosen.size].bars else "bench"
    facts = {**outcome.facts, "rounds": size.rounds, "criteria": outcome.criteria}
    path = written(Path(chosen.out).expanduser() if chosen.out else _records(), name, outcome.workload, outcome.results, **facts)
    print("\n".join([*lines(outcome), "", f"record: {path}"]))
    return 3 if any(criterion["passed"] is False for criterion in outcome.criteria.values()) else 0


def _parser() -> Parser:
    from gpubt.bench.suite import SIZES

    sizes = ", ".join(f"{name} ({size.bars:,} bars: {size.why})" for name, size in SIZES.items())
    parser = Parser(
        prog="gpubt bench",
        description=f"Compare, then time, whole runs and their parts on a seeded walk. Sizes: {sizes}.",
        epilog="exit status: 0 done, 3 a criterion is not met, 1 results differ. gpubt bench aggregate --help: put records together",
    )
    parser.add_argument("size", nargs="?", choices=SIZES, default="small", help="how many bars (default: small)")
    parser.add_argument("--bars", metavar="N", help="another number of bars")
    parser.add_argument("--rounds", metavar="N", help="rounds of each comparison")
    parser.add_argument("--out", metavar="FOLDER", help="where the record goes (default: bench/records, of the checkout or here)")
    return parser


def _number(name: str, text: str | None, default: int, least: int) -> int:
    if text is None:
        return default
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not least <= value < 2**31:
        raise ConfigError(f"--{name} must be a whole number of at least {least:,}, got {text!r}")
    return value


def _records() -> Path:
    from gpubt.bench.baseline import CHECKOUT

    return CHECKOUT if CHECKOUT.is_dir() else Path("bench") / "records"
