"""What a CSV file's first lines tell: separator, decimal mark, header, column names and types."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from gpubt.errors import ConfigError, DataError

SEPARATORS = (",", ";", "\t")
BINANCE = (
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "buy_volume",
    "buy_quote_volume",
    "ignore",
)
MISSING = ("", "NA", "N/A", "NULL", "null", "NaN", "nan", "#N/A")
HEADERS = ("auto", "true", "false")


@dataclass(frozen=True)
class Layout:
    """`skip`: lines before the first row, blank ones among them; `blank` of these are blank. `schema` has a type guessed per column."""

    separator: str
    decimal: str
    skip: int
    blank: int
    schema: pa.Schema


def find_layout(head: bytes, where: str, header: Any = "auto", columns: Any = None) -> Layout:
    """The layout of the file that begins with `head` (decompressed).

    Raises DataError, which starts with `where`, for what is no text or has no row, and where the columns of a file without header are
    not known; ConfigError for a `header` that is none of auto, true and false.
    """
    choice = str(header).lower()
    if choice not in HEADERS:
        raise ConfigError(f"data.header must be auto, true or false, got {header}")
    lines = _text(head, where).splitlines()
    filled = [number for number, line in enumerate(lines) if line][:2]
    if not filled:
        raise DataError(f"{where} has no rows")
    separator = max(SEPARATORS, key=lambda mark: len(_split(lines[filled[0]], mark)))
    first = _split(lines[filled[0]], separator)
    named = choice == "true" or (
        choice == "auto" and not any(_kind(field, ".") in (pa.int64(), pa.float64()) or _is_time(field) for field in first)
    )
    names = [field.strip() for field in first] if named else _names(len(first), where, columns)
    if named and len(filled) == 1:
        if len(lines) == 1:
            raise DataError(f"{where} has one line, {lines[0][:60]!r}, and no rows")
        raise DataError(f"{where} has no rows")
    row = filled[1] if named else filled[0]
    values = _split(lines[row], separator)
    decimal = "," if separator != "," and any(_is_decimal_comma(value) for value in values) else "."
    kinds = [_kind(value, decimal) for value in values] + [pa.null()] * (len(names) - len(values))
    schema = pa.schema([pa.field(name, kind) for name, kind in zip(names, kinds, strict=False)])
    blank = row - (1 if named else 0)
    return Layout(separator, decimal, row, blank, schema)


def _text(head: bytes, where: str) -> str:
    if b"\0" in head:
        raise DataError(f"{where} is binary or not UTF-8 text; give a CSV file")
    end = head.rfind(b"\n")
    try:
        text = (head if end < 0 else head[: end + 1]).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{where} is binary or not UTF-8 text (byte {error.start}); give a CSV file") from None
    if "\n" not in text and "\r" in text:
        raise DataError(f"{where} ends its lines with a carriage return alone; convert it to line feeds")
    return text.replace("\r\n", "\n")


def _split(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _names(count: int, where: str, columns: Any) -> list[str]:
    if isinstance(columns, (list, tuple)):
        if len(columns) != count:
            raise ConfigError(f"data.columns lists {len(columns)} columns, {where} has {count}: {', '.join(map(str, columns))}")
        return [str(name) for name in columns]
    if count in (5, 6, len(BINANCE)):
        return list(BINANCE[:count])
    raise DataError(f"{where} has {count} columns and no header; name them in order with data.columns=[time,open,high,low,close,...]")


def _kind(value: str, decimal: str) -> pa.DataType:
    value = value.strip()
    if value in MISSING:
        return pa.null()
    try:
        int(value)
    except ValueError:
        try:
            float(value.replace(decimal, "."))
        except ValueError:
            return pa.string()
        return pa.float64()
    return pa.int64()


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_decimal_comma(value: str) -> bool:
    whole, comma, rest = value.strip().partition(",")
    return bool(comma) and whole.lstrip("-").isdigit() and rest.isdigit()
