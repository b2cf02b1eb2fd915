"""`gpubt top DIR`: the best sets of a sweep, whether they lie on a plateau, and which axes matter."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError

PIPED = 140  # columns of a line where it is no terminal that shows it


def main(arguments: list[str]) -> int:
    """Print the sets, and write them where --export says."""
    chosen = _parser().parse_args(arguments)
    if chosen.n < 1:
        raise ConfigError(f"--n must be at least 1, got {chosen.n}")
    from gpubt.records.arrow import plain
    from gpubt.report.top import lines
    from gpubt.sweep.export import export, target
    from gpubt.sweep.reading import read_sweep
    from gpubt.sweep.top import as_json, best

    path = target(chosen.export) if chosen.export else None
    results = read_sweep(Path(chosen.dir).expanduser(), symbol=chosen.symbol, partial=chosen.partial)
    top, order = best(results, chosen.by, chosen.n, chosen.where, ascending=chosen.ascending)
    if path is not None:
        export(results, order, path)
        top = replace(top, exported=path)
    if chosen.json:
        print(json.dumps(plain(as_json(top)), indent=2, ensure_ascii=False))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED
        print("\n".join(lines(top, width)))
    return 0


def _parser() -> Parser:
    parser = Parser(prog="gpubt top", description="The best sets of a sweep, their neighbours on the grid, and what each axis explains.")
    parser.add_argument("dir", metavar="DIR", help="the folder of a sweep")
    parser.add_argument("--by", default="sharpe_ratio", metavar="FIGURE", help="sort by this figure, the best first (default sharpe_ratio)")
    parser.add_argument("--n", type=int, default=20, metavar="N", help="sets shown (default 20)")
    about = "only sets for which this holds, over figures and axes: 'trades > 100 and fast < slow'"
    parser.add_argument("--where", metavar="CONDITION", help=about)
    parser.add_argument("--ascending", action="store_true", help="the smallest value first, be it the best or not")
    parser.add_argument("--symbol", metavar="NAME", help="of a sweep over several symbols")
    parser.add_argument("--partial", action="store_true", help="of a sweep that is not finished, the rows there are")
    parser.add_argument("--export", metavar="FILE", help="write every set that is left, in this order, to a .csv or .parquet file")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser
