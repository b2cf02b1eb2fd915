"""From a folder to its page."""

from __future__ import annotations

from pathlib import Path

from gpubt.records.arrow import atomic

NAME = "report.html"
REMEDY = "choose another file with --out FILE"


def write_report(
    folder: Path, path: Path | None = None, *, symbol: str | None = None, most: int = 100, by: str = "sharpe_ratio", partial: bool = False
) -> Path:
    """Write the report of the run or the sweep in `folder` to `path` (None: report.html there) and return that. Raises InputError for a
    folder that is neither, and where the file can't be written; DataError for broken files."""
    from gpubt.caches import set_numba_cache
    from gpubt.sweep.store import ABOUT

    set_numba_cache()
    if (folder / ABOUT).is_file():
        from gpubt.report.html.sweep import sweep_page

        text = sweep_page(folder, by=by, symbol=symbol, partial=partial)
    else:
        from gpubt.report.html.run import run_page

        text = run_page(folder, symbol=symbol, most=most)
    path = path or folder / NAME
    with atomic(path, REMEDY) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
