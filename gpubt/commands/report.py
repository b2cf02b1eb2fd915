"""`gpubt report DIR`: a run or a sweep as one HTML file that opens anywhere."""

from __future__ import annotations

from pathlib import Path

from gpubt.commands.arguments import Parser
from gpubt.errors import ConfigError, InputError


def main(arguments: list[str]) -> int:
    """Write the page and say where it is."""
    chosen = _parser().parse_args(arguments)
    if chosen.trades < 0:
        raise ConfigError(f"--trades must be at least 0, got {chosen.trades}")
    from gpubt.report.html.write import write_report

    folder = Path(chosen.dir).expanduser()
    if not folder.is_dir():
        raise InputError(f"DIR must be the folder of a run or a sweep, got {str(folder)!r}, which is no folder")
    out = Path(chosen.out).expanduser() if chosen.out else None
    path = write_report(folder, out, symbol=chosen.symbol, most=chosen.trades, by=chosen.by, partial=chosen.partial)
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _parser() -> Parser:
    parser = Parser(prog="gpubt report", description="A run or a sweep as one HTML file that opens without a network.")
    parser.add_argument("dir", metavar="DIR", help="the folder of a run or of a finished sweep")
    parser.add_argument("--out", metavar="FILE", help="the file (default: report.html in that folder)")
    parser.add_argument("--symbol", metavar="NAME", help="of several symbols, the one whose trades or sets are shown")
    parser.add_argument("--trades", type=int, default=100, metavar="N", help="of a run: trades shown bar by bar at most (default 100)")
    parser.add_argument(
        "--by", default="sharpe_ratio", metavar="FIGURE", help="of a sweep: the figure that sets are judged by (default sharpe_ratio)"
    )
    parser.add_argument("--partial", action="store_true", help="of a sweep that is not finished, the rows there are")
    return parser
