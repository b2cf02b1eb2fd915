"""Rules as text: parsed with Python's `ast` from a closed grammar into an expression tree. Nothing is evaluated as Python.

Accepted are numbers, True and False, names (columns, the clock, parameters, indicators), + - * / and unary minus, comparisons (also
chained), and / or / not, parentheses, and calls of `gpubt.strategy.functions`. All else is refused where it stands, with what is accepted.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, NoReturn, TypeVar
from warnings import catch_warnings, simplefilter

from gpubt.data.others import other_name
from gpubt.errors import ConfigError
from gpubt.indicators.series import NAMES, SESSION, Series
from gpubt.strategy.expr import (
    Constant,
    Expression,
    Load,
    Number,
    Numeric,
    Rule,
    arithmetic,
    both,
    compare,
    depth,
    either,
    inverse,
    negate,
    number,
    reads,
    size,
    stack_depth,
)
from gpubt.strategy.functions import AT, FUNCTIONS, INDICATORS, KINDS, LONGEST, READINGS, Argument, Function, in_frame

LENGTH = 2000  # characters of one text
LEVELS = 64  # of one tree, so that no walk over it comes near Python's recursion limit
NODES = 500  # of one tree: a name stands for its whole expression, so that short texts can grow without bound
STACK = 8  # operands that the kernels' stack holds

ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
# What people write by habit, and what it is here
INSTEAD: dict[type[ast.AST], str] = {
    ast.BitAnd: "& (write and)",
    ast.BitOr: "| (write or)",
    ast.Invert: "~ (write not)",
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
    ast.Attribute: "a dot after a name",
    ast.Subscript: "an index (write shift(x, n) for n bars ago)",
    ast.NamedExpr: ":=",
    ast.IfExp: "if ... else",
    ast.Starred: "*arguments",
}
LANGUAGE = "accepted: numbers, names, + - * /, comparisons, and / or / not, parentheses, and calls of functions"

Checked = TypeVar("Checked", bound=Expression)


def parse_rule(text: str, names: Mapping[str, Numeric], key: str = "rule", cross: str = "default") -> Rule:
    """The rule that `text` says. `names` are parameters (as Numbers) and indicators; `key` names the text in messages; `cross` is the
    reading (one of READINGS) of crossings that do not name theirs.

    Raises ConfigError with the place and what is accepted there.
    """
    parser = _Parser(text, names, key, cross)
    return parser.checked(parser.rule(parser.root))


def parse_number(text: str, names: Mapping[str, Numeric], key: str = "number") -> Numeric:
    """The numeric expression that `text` says, as `parse_rule`."""
    parser = _Parser(text, names, key)
    return parser.checked(parser.number(parser.root))


class _Parser:
    def __init__(self, text: str, names: Mapping[str, Numeric], key: str, cross: str = "default") -> None:
        self.text = " ".join(str(text).splitlines()).strip()
        self.names = names
        self.key = key
        self.cross = cross
        self.root = self._read()

    def fail(self, where: ast.AST | int, what: str, hint: str = "") -> NoReturn:
        """Raise with the column of `where` (a node, or characters before it) and a caret under it."""
        at = where if isinstance(where, int) else len(self.text.encode()[: getattr(where, "col_offset", 0)].decode(errors="ignore"))
        start = max(0, at - 60)
        line = ("..." if start else "") + self.text[start : at + 60] + ("..." if len(self.text) > at + 60 else "")
        caret = " " * (at - start + (3 if start else 0)) + "^"
        raise ConfigError(f"{self.key}: {what} at column {at + 1}{hint}\n  {line}\n  {caret}")

    def checked(self, expr: Checked) -> Checked:
        """`expr`, or fail if it is more than the kernels and the walks over trees take."""
        for found, most, what in (
            (size(expr), NODES, "parts"),
            (depth(expr), LEVELS, "levels"),
            (stack_depth(expr), STACK, "open operands"),
        ):
            if found > most:
                remedy = "write a - (b - c) as a - b + c, the deeper side first" if most == STACK else "make it shorter"
                self.fail(0, f"too complex, {found} {what} with names written out, at most {most}: {remedy}; it begins")
        back = max((bits.bit_length() for bits in reads(expr).values()), default=1) - 1
        if back > LONGEST:
            self.fail(0, f"reaches {back} bars back in all, at most {LONGEST}; it begins")
        return expr

    def rule(self, node: ast.AST) -> Rule:
        """The node as a rule."""
        expr = self._visit(node)
        if not isinstance(expr, Rule):
            self.fail(node, "a number where a rule (true or false) is needed", "; compare it, e.g. close > open")
        return expr

    def number(self, node: ast.AST) -> Numeric:
        """The node as a number."""
        expr = self._visit(node)
        if isinstance(expr, Rule):
            self.fail(node, "a rule (true or false) where a number is needed")
        return expr

    def _read(self) -> ast.AST:
        if not self.text:
            raise ConfigError(f"{self.key}: the text is empty; write null for none")
        if len(self.text) > LENGTH:
            self.fail(0, f"{len(self.text)} characters, at most {LENGTH}; it begins")
        if "#" in self.text:
            self.fail(self.text.index("#"), "a comment inside the text", "; comments go on their own line of the YAML file")
        try:
            with catch_warnings():
                simplefilter("ignore")  # what Python would warn of is refused below, or harmless
                root = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            at = error.offset - 1 if error.lineno == 1 and error.offset else len(self.text)
            self.fail(at, error.msg.split(". ")[0], " (== compares)" if self.text[at : at + 1] == "=" else "")
        except (ValueError, MemoryError, RecursionError) as error:
            raise ConfigError(f"{self.key}: the text can't be read ({error})") from None
        for node, level in _levels(root):
            if level > LEVELS:
                self.fail(node, f"nested deeper than {LEVELS} levels")
        return root

    def _visit(self, node: ast.AST) -> Expression:
        match node:
            case ast.Constant():
                return self._literal(node)
            case ast.Name():
                return self._name(node)
            case ast.Attribute(value=ast.Name(id=alias)):
                return self._other(node, alias)
            case ast.BinOp():
                return self._arithmetic(node)
            case ast.UnaryOp(op=ast.USub()):
                return negate(self.number(node.operand))
            case ast.UnaryOp(op=ast.UAdd()):
                return self.number(node.operand)
            case ast.UnaryOp(op=ast.Not()):
                return inverse(self.rule(node.operand))
            case ast.BoolOp():
                return self._logic(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.Call():
                return self._call(node)
        self._outside(node, getattr(node, "op", node))

    def _outside(self, where: ast.AST, what: ast.AST) -> NoReturn:
        self.fail(where, f"{INSTEAD.get(type(what), type(what).__name__)} is not part of the rule language", f"; {LANGUAGE}")

    def _literal(self, node: ast.Constant) -> Expression:
        if isinstance(node.value, bool):
            return Constant(node.value)
        if not isinstance(node.value, int | float):
            self.fail(node, f"{node.value!r} is not part of the rule language", f"; {LANGUAGE}")
        return self._finite(node, node.value)

    def _finite(self, node: ast.AST, value: float) -> Number:
        try:
            result = number(value)
        except OverflowError:
            result = Number(float("inf"))
        if not isfinite(result.value):
            self.fail(node, "a number too large")
        return result

    def _name(self, node: ast.Name) -> Expression:
        if node.id in NAMES:
            return Load(Series(node.id))
        if node.id == SESSION:
            return compare("!=", Load(Series(SESSION)), number(0))
        if node.id in self.names:
            return self.names[node.id]
        if node.id in FUNCTIONS:
            self.fail(node, f"{node.id!r} is a function", f"; call it: {FUNCTIONS[node.id].signature}")
        self.fail(node, f"unknown name {node.id!r}", _near(node.id, (*NAMES, SESSION, *self.names), FUNCTIONS))

    def _other(self, node: ast.Attribute, alias: str) -> Numeric:
        if alias in (*NAMES, SESSION, *self.names, *FUNCTIONS):
            self._outside(node, node)
        try:
            return Load(Series(other_name(alias, node.attr, getattr(self.names, "others", ()))))
        except ConfigError as error:
            self.fail(node, str(error))

    def _arithmetic(self, node: ast.BinOp) -> Numeric:
        op = ARITHMETIC.get(type(node.op))
        if op is None:
            self._outside(node.right, node.op)
        a, b = self.number(node.left), self.number(node.right)
        try:
            result = arithmetic(op, a, b)
        except ZeroDivisionError:
            self.fail(node.right, "division by zero")
        return self._finite(node, result.value) if isinstance(result, Number) else result

    def _logic(self, node: ast.BoolOp) -> Rule:
        join = both if isinstance(node.op, ast.And) else either
        result, *others = map(self.rule, node.values)
        for other in others:
            result = join(result, other)
        return result

    def _comparison(self, node: ast.Compare) -> Rule:
        """`a < b < c` is `a < b and b < c`."""
        sides = [self.number(side) for side in (node.left, *node.comparators)]
        result: Rule | None = None
        for a, op, b, side in zip(sides, node.ops, sides[1:], node.comparators, strict=False):
            name = COMPARISONS.get(type(op))
            if name is None:
                self.fail(side, "only > >= < <= == != compare, not 'is' or 'in',")
            step = compare(name, a, b)
            result = step if result is None else both(result, step)
        assert result is not None
        return result

    def _call(self, node: ast.Call) -> Expression:
        if not isinstance(node.func, ast.Name):
            self.fail(node, "only functions are called, by their names,", f"; accepted: {', '.join(FUNCTIONS)}")
        name = node.func.id
        if name not in FUNCTIONS:
            known = name in (*NAMES, SESSION) or name in self.names
            hint = "; it is a value, leave the parentheses out" if known else _near(name, FUNCTIONS, (*NAMES, SESSION))
            self.fail(node, f"{'not a function,' if known else 'unknown function'} {name!r}", hint)
        function = FUNCTIONS[name]
        frame = self._frame(function, node)
        values = [self._argument(argument, function, given) for argument, given in self._bind(function, node)]
        try:
            return function.build(*values) if frame is None else in_frame(function.build(*values), frame)
        except ConfigError as error:
            self.fail(node, str(error))

    def _frame(self, function: Function, node: ast.Call) -> str | None:
        """The timeframe of a call, which is taken out of its arguments."""
        found = next((keyword for keyword in node.keywords if keyword.arg == "tf"), None)
        if found is None:
            if function.name == AT:
                self.fail(node, f'{AT}() needs a timeframe, such as {AT}(high, tf="1d")')
            return None
        if function.name not in (*INDICATORS, AT):
            self.fail(found, f"{function.name}() has no timeframe; give it to the indicators inside")
        if not isinstance(found.value, ast.Constant) or not isinstance(found.value.value, str):
            self.fail(found, 'tf must be a text such as "1h" or "1d"')
        node.keywords.remove(found)
        return found.value.value

    def _bind(self, function: Function, node: ast.Call) -> list[tuple[Argument, ast.AST | None]]:
        """Each argument of `function` with the node given for it, or None for its default."""
        takes = f"{function.signature} takes"
        for value in node.args:
            if isinstance(value, ast.Starred):
                self._outside(value, value)
        if len(node.args) > len(function.arguments):
            self.fail(node.args[len(function.arguments)], f"{takes} {len(function.arguments)} arguments, got {len(node.args)}")
        given: dict[str, ast.AST] = {argument.name: value for argument, value in zip(function.arguments, node.args, strict=False)}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in [argument.name for argument in function.arguments]:
                self.fail(keyword, f"{takes} no argument {keyword.arg or '**'!r}")
            if keyword.arg in given:
                self.fail(keyword, f"{takes} {keyword.arg!r} once, got it twice")
            given[keyword.arg] = keyword.value
        for argument in function.arguments:
            if argument.name not in given and argument.default is None:
                self.fail(node, f"{takes} {argument.name!r}, which is missing")
        return [(argument, given.get(argument.name)) for argument in function.arguments]

    def _argument(self, argument: Argument, function: Function, node: ast.AST | None) -> Any:
        """The argument as its kind."""
        if node is None:
            return self.cross if argument.kind == "reading" else argument.default
        needs = f"{function.signature} needs {KINDS[argument.kind]} as {argument.name!r}, found"
        if argument.kind == "reading":
            return self._reading(node, needs)
        value = self._visit(node)
        accepted = {"any": True, "rule": isinstance(value, Rule), "number": not isinstance(value, Rule)}
        if accepted.get(argument.kind):
            return self.checked(value) if isinstance(value, Rule) else value
        if argument.kind == "series":
            if isinstance(value, Number | Rule):
                self.fail(node, f"{needs} {_described(value)}")
            return value
        if not isinstance(value, Number):
            self.fail(node, f"{needs} {_described(value)}")
        return self._constant(argument.kind, value.value, node, needs)

    def _reading(self, node: ast.AST, needs: str) -> str:
        """A word, which is no name here: parameters may be called the same."""
        found = ast.unparse(node)
        if found not in READINGS:
            self.fail(node, f"{needs} {found}", _near(found, READINGS, ()))
        return found

    def _constant(self, kind: str, value: float, node: ast.AST, needs: str) -> int | float:
        constant = int(value) if value.is_integer() else value
        least = 0 if kind == "shift" else 1
        if kind == "ratio" and constant < 0:
            self.fail(node, f"{needs} {constant:g}")
        if kind not in ("constant", "ratio") and not (isinstance(constant, int) and least <= constant <= LONGEST):
            future = " (a rule can't see the future)" if constant < 0 else ""
            self.fail(node, f"{needs} {constant:g}{future}")
        return constant


def _levels(root: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """The nodes with a place in the text, with their depths, without recursion."""
    stack = [(root, 1)]
    while stack:
        node, level = stack.pop()
        yield node, level
        stack.extend((child, level + 1) for child in ast.iter_child_nodes(node) if hasattr(child, "col_offset"))


def _described(expr: Expression) -> str:
    return (
        "a rule"
        if isinstance(expr, Rule)
        else "a constant"
        if isinstance(expr, Number)
        else "a series"
        if isinstance(expr, Load)
        else "arithmetic"
    )


def _near(got: str, names: Collection[str], others: Collection[str]) -> str:
    """The nearest known name, else all of `names`."""
    near = get_close_matches(got, [*names, *others], n=1)
    return f" (did you mean {near[0]}?)" if near else f"; accepted: {', '.join(names)}"
