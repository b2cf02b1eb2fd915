"""`gpubt compare A B`: whether two runs gave the same trades, and the first that differs."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gpubt.commands.arguments import Parser, amount

if TYPE_CHECKING:
    from gpubt.compare import Tolerances

# option: what it allows, with the default of gpubt.compare.Tolerances
OPTIONS = {
    "price": "relative difference of prices (default 1e-6)",
    "pnl": "relative difference of each trade's pnl and of their sum (default 1e-4, 0.01 %%)",
    "win-rate": "difference of the win rates as a fraction (default 0.001, 0.1 percentage points)",
    "duration": "difference of durations in bars, each and on average (default 1)",
}


def main(arguments: list[str]) -> int:
    """Print the comparison. Exit status 0: the same to the bit or within tolerance, 3: different, 2: no two finished runs."""
    parser = Parser(
        prog="gpubt compare",
        description="Whether two runs gave the same trades. Entry and exit bars, sides and exit reasons must be equal.",
        epilog="exit status: 0 the same to the bit or within tolerance (it says which), 3 different, 2 the input's fault",
    )
    parser.add_argument("a", metavar="A", help="the folder of a run")
    parser.add_argument("b", metavar="B", help="the folder of another")
    for name, about in OPTIONS.items():
        parser.add_argument(f"--{name}", metavar="X", help=about)
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    chosen = parser.parse_args(arguments)
    tolerances = _tolerances(chosen)
    from gpubt.compare import compare
    from gpubt.records.arrow import plain
    from gpubt.records.saved import read_run
    from gpubt.report.compare import EXIT_CODES, as_json, lines, verdict

    a, b = (read_run(Path(folder).expanduser()) for folder in (chosen.a, chosen.b))
    found = compare(a, b, tolerances)
    print(json.dumps(plain(as_json(found)), indent=2, ensure_ascii=False) if chosen.json else "\n".join(lines(found)))
    return EXIT_CODES[verdict(found)]


def _tolerances(chosen: Namespace) -> Tolerances:
    from gpubt.compare import Tolerances

    given = {name: text for name in OPTIONS if (text := getattr(chosen, name.replace("-", "_"))) is not None}
    return Tolerances(**{name.replace("-", "_"): amount(name, text) for name, text in given.items()})
