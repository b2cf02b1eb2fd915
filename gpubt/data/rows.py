"""Which rows a run uses, resolved before any price is read.

`data.start` and `data.end` come first: they cut the source's rows to the ones with `start <= time < end`. `data.frac` and `data.portion`
then select within those. All arithmetic is exact (`fractions.Fraction` on the text of `data.frac`: 0.1 is one tenth), so that portions of
1/k tile the rows without gap or overlap.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import floor
from typing import Any, TextIO

from gpubt.config import Data
from gpubt.data.clock import parse_time, time_text
from gpubt.data.source import Source
from gpubt.errors import ConfigError

NUMBER = r"\d{1,40}(\.\d{0,40})?|\.\d{1,40}"
# bounded, or exact arithmetic on 1e-999999999 would take all day
FRACTION = re.compile(rf"({NUMBER})(e[+-]?\d{{1,3}})?|\d{{1,40}}\s*/\s*\d{{1,40}}", re.IGNORECASE)
FIRST_QUESTION = "Fraction of the bars to use, in (0, 1], such as 0.25 or 1/3 [1.0]: "


def parse_fraction(value: Any) -> Fraction:
    """`data.frac` as an exact fraction: a number (by its shortest text) or text such as 0.25 or 1/3. ConfigError outside (0, 1]."""
    text = str(value).strip()
    if not isinstance(value, bool) and FRACTION.fullmatch(text):
        number, _, divisor = text.partition("/")
        if not divisor or int(divisor):
            fraction = Fraction(number.strip()) / (int(divisor) if divisor else 1)
            if 0 < fraction <= 1:
                return fraction
    raise ConfigError(f"data.frac must be in (0, 1], got {value}; a number, a fraction such as 1/3, or ask")


def check_portion(frac: Fraction, portion: int) -> None:
    """ConfigError unless `portion` is in 1 .. floor(1 / frac)."""
    most = floor(1 / frac)
    if not 1 <= portion <= most:
        raise ConfigError(f"data.portion must be in [1, {most}] with data.frac={frac}, got {portion}")


def portion_rows(n: int, frac: Fraction, portion: int) -> tuple[int, int]:
    """Rows `floor((portion - 1) * frac * n)` to `floor(portion * frac * n)` (exclusive) of `n`. ConfigError for a portion there is not."""
    check_portion(frac, portion)
    return floor((portion - 1) * frac * n), floor(portion * frac * n)


def resolve_rows(source: Source, data: Data) -> tuple[int, int]:
    """First and end (exclusive) row of `source` that `data` selects. Reads timestamps only where `data.start` or `data.end` need them.

    Raises ConfigError for values that are not accepted and for a selection without rows; `data.frac=ask` must have been answered before.
    """
    frac = parse_fraction(data.frac)
    check_portion(frac, data.portion)
    lo, hi = _period_rows(source, data)
    first, end = portion_rows(hi - lo, frac, data.portion)
    if first == end:
        raise ConfigError(f"data.frac={data.frac} data.portion={data.portion} selects no row of {hi - lo}; give a larger data.frac")
    return lo + first, lo + end


def _period_rows(source: Source, data: Data) -> tuple[int, int]:
    """The rows with `start <= time < end`."""
    start = None if data.start is None else parse_time(data.start, "data.start")
    end = None if data.end is None else parse_time(data.end, "data.end")
    if start is not None and end is not None and start >= end:
        raise ConfigError(f"data.start must be before data.end, got {data.start} and {data.end}")
    lo = 0 if start is None else source.row_at(start)
    hi = source.rows_available if end is None else source.row_at(end)
    if lo >= hi:
        first, last = source.span()
        given = " ".join(f"data.{key}={value}" for key, value in (("start", data.start), ("end", data.end)) if value is not None)
        raise ConfigError(f"{given} selects no bar; there are {source.rows_available} from {time_text(first)} to {time_text(last)}")
    return lo, hi


def ask_fraction(answers: TextIO, prompts: TextIO) -> tuple[str, int]:
    """`data.frac` (text) and `data.portion` as typed on a terminal: Enter is everything, and then there is no second question.

    A bad answer is explained and asked again; the second one, or the end of input, is a ConfigError, as is input that is no terminal.
    """
    if not answers.isatty():
        raise ConfigError("data.frac=ask needs a terminal to ask on; give data.frac=, for example data.frac=0.25")
    mistakes = 0
    frac: str | None = None
    while True:
        question = f"Portion, 1 to {floor(1 / parse_fraction(frac))} [1]: " if frac else FIRST_QUESTION
        answer = _answer(question, answers, prompts)
        try:
            if frac is not None:
                return frac, _portion(frac, answer or "1")
            if parse_fraction(answer or "1.0") == 1:
                return "1.0", 1
            frac = answer
        except ConfigError as error:
            mistakes += 1
            if mistakes == 2:
                raise
            print(error, file=prompts)


def _answer(question: str, answers: TextIO, prompts: TextIO) -> str:
    print(question, end="", file=prompts, flush=True)
    line = answers.readline()
    if not line:
        raise ConfigError("data.frac=ask got no answer; give data.frac=, for example data.frac=0.25")
    return line.strip()


def _portion(frac: str, answer: str) -> int:
    if not re.fullmatch(r"\d{1,9}", answer):
        raise ConfigError(f"data.portion must be a whole number, got {answer}")
    check_portion(parse_fraction(frac), int(answer))
    return int(answer)
