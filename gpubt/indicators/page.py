"""The reference page of the indicators, written from their definitions: `python -m gpubt.indicators.page > docs/indicators.md`."""

from __future__ import annotations

from gpubt.indicators.definition import Definition, Parameter
from gpubt.indicators.definitions import DEFINITIONS

HEAD = """# Indicators

Written from the definitions by `python -m gpubt.indicators.page`; `gpubt list indicators` has the same in short. `x` is a column, an
indicator or arithmetic on them (`docs/strategies.md`). Warm-up is how many leading values are NaN, after those of `x`. The exact order of
every operation is in `docs/design.md`.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *map(_section, DEFINITIONS.values())])


def _section(definition: Definition) -> str:
    rows = [
        ("formula", definition.formula),
        ("parameters", "; ".join(map(_parameter, definition.params))),
        *([("reads", ", ".join(definition.inputs))] if isinstance(definition.inputs, tuple) else []),
        ("warm-up", definition.warmup.text),
        ("source", definition.source),
    ]
    title = definition.about[0].upper() + definition.about[1:]
    return "\n".join([f"## `{definition.signature}`", "", f"{title}.", "", *(f"- {name}: {text}" for name, text in rows), ""])


def _parameter(parameter: Parameter) -> str:
    kind = "a whole number" if parameter.whole else "a number"
    return f"`{parameter.name}`, {parameter.about}: {kind} of at least {parameter.minimum:g}"


if __name__ == "__main__":
    print(page(), end="")
