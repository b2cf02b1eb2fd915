"""The rows of one symbol in a Parquet file that holds several, sorted by symbol."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from gpubt.data.shared import listed, shared
from gpubt.errors import ConfigError, DataError

if TYPE_CHECKING:
    from gpubt.data.parquet import ParquetSource, Span

SHOWN = 5  # names in an error


def find_symbol(source: ParquetSource, column: str, symbol: str | None) -> tuple[str, range]:
    """The symbol and its rows in the file. Only row groups whose statistics could hold it are read, and of them only `column`.

    Raises ConfigError when the file has several symbols and none is chosen, or not the chosen one; DataError if its rows lie apart.
    """
    spans = source.spans(range(source.metadata.num_rows))
    only = _only_symbol(source, column, spans)
    if only is not None and symbol in (None, only):
        return only, range(source.metadata.num_rows)
    if symbol is None:
        names = distinct(source, column, spans, SHOWN + 1)
        return choose(names, None, source.path), range(source.metadata.num_rows)
    known = shared(source.file.state)
    if known is not None:
        first, last, count = known.rows.get(symbol, (0, -1, 0))
        rows = range(first, last + 1)
    else:
        rows, count = _rows_of(source, column, [span for span in spans if _may_hold(source, column, span, symbol)], symbol)
    if not count:
        choose(distinct(source, column, spans), symbol, source.path)
    if count != len(rows):
        apart = f"the {count} rows of {symbol} lie apart, from row {rows.start} to {rows.stop - 1}"
        raise DataError(f"{source.where}: {apart}; sort it by symbol, then time")
    return symbol, rows


def choose(names: list[str], symbol: str | None, path: Path) -> str:
    """`symbol`, or the only one of `names`. Raises ConfigError when it is not among them, and when there are several and none is chosen."""
    if symbol is None and len(names) > 1:
        raise ConfigError(f"data.symbol must choose one of the symbols in {path}, got null; it has {_shown(names)}")
    if symbol is not None and symbol not in names:
        near = get_close_matches(symbol, names, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(f"data.symbol={symbol} is not in {path}; it has {_shown(names)}{hint}")
    return names[0] if symbol is None else symbol


def _shown(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _bounds(source: ParquetSource, column: str, span: Span) -> tuple[str, str] | None:
    """Smallest and largest symbol of a row group (bounds of them, where the writer truncates), or None where unknown."""
    statistics = source.statistics(span.group, column)
    if statistics is None or statistics.null_count or not isinstance(statistics.min, str):
        return None
    return statistics.min, statistics.max


def _only_symbol(source: ParquetSource, column: str, spans: list[Span]) -> str | None:
    bounds = {_bounds(source, column, span) for span in spans}
    found = bounds.pop() if len(bounds) == 1 else None
    return found[0] if found is not None and found[0] == found[1] else None


def _may_hold(source: ParquetSource, column: str, span: Span, symbol: str) -> bool:
    bounds = _bounds(source, column, span)
    return bounds is None or bounds[0] <= symbol <= bounds[1]  # code points order as the UTF-8 bytes do


def _values(source: ParquetSource, column: str, span: Span) -> Iterator[pa.Array]:
    for batch in source.batches([span], [column]):
        yield pc.fill_null(pc.cast(batch.column(column), pa.string()), "")


def _rows_of(source: ParquetSource, column: str, spans: list[Span], symbol: str) -> tuple[range, int]:
    """The range from the first to the last row of `symbol`, and how many of its rows there are."""
    first, last, count = -1, -1, 0
    for span in spans:
        row = span.start
        for values in _values(source, column, span):
            hits = pc.indices_nonzero(pc.equal(values, symbol))
            if len(hits):
                first = row + hits[0].as_py() if first < 0 else first
                last = row + hits[-1].as_py()
                count += len(hits)
            row += len(values)
    return range(first, last + 1), count


def every(source: ParquetSource, column: str) -> list[str]:
    """All symbols in order of appearance; where the rows of each are is remembered for those who read them next."""
    spans = source.spans(range(source.metadata.num_rows))
    return list(listed(source.file.state, (values for span in spans for values in _values(source, column, span)), source.footer))


def distinct(source: ParquetSource, column: str, spans: list[Span], enough: int | None = None) -> list[str]:
    """The symbols in order of appearance, at least `enough` of them where there are as many."""
    names: dict[str, None] = {}
    for span in spans:
        for values in _values(source, column, span):
            names.update(dict.fromkeys(pc.unique(values).to_pylist()))
            if enough is not None and len(names) >= enough:
                return list(names)
    return list(names)
