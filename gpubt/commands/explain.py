"""`gpubt explain RUN --trade N`: the bars around a trade, its events in order, and the rule behind each fill."""

from __future__ import annotations

from pathlib import Path

from gpubt.commands.arguments import Parser


def main(arguments: list[str]) -> int:
    """Print the explanation of one position of a run folder."""
    parser = Parser(prog="gpubt explain", description="Why a trade of a run is what it is.")
    parser.add_argument("run", metavar="RUN", help="the folder of a run")
    parser.add_argument("--trade", type=int, required=True, metavar="N", help="the position, as in trades.parquet (from 0)")
    parser.add_argument("--symbol", help="of a run over several symbols")
    parser.add_argument("--around", type=int, default=2, metavar="BARS", help="bars shown around each event (default 2)")
    chosen = parser.parse_args(arguments)
    from gpubt.caches import set_numba_cache
    from gpubt.explain import explain
    from gpubt.report.explain import lines

    set_numba_cache()
    print("\n".join(lines(explain(Path(chosen.run).expanduser(), chosen.trade, chosen.symbol), max(0, chosen.around))))
    return 0
