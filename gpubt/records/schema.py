"""The published schema of `benchmark.json`, enforced wherever a record is made or written."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from gpubt.errors import GpubtError
from gpubt.resources import PACKAGE

SCHEMA_VERSION = 2
SCHEMA_FILE = PACKAGE / "schemas" / f"benchmark.v{SCHEMA_VERSION}.json"


def benchmark_schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 2020-12."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def _validator() -> Callable[[Any], Any]:
    """Compiled once a process (6 ms; with whole definitions in its messages it would be 20). The schema keeps to keywords that mean the
    same in draft 2020-12 and in draft 7, which this compiler knows."""
    import fastjsonschema

    validator: Callable[[Any], Any] = fastjsonschema.compile(benchmark_schema(), use_default=False, detailed_exceptions=False)
    return validator


def violation(record: dict[str, Any]) -> str | None:
    """What makes `record`, in the types that JSON knows, no benchmark record, in a sentence; None: it is one."""
    import fastjsonschema

    try:
        _validator()(record)
    except fastjsonschema.JsonSchemaValueException as error:
        return str(error.message)
    return None


def check_benchmark(record: dict[str, Any]) -> None:
    """Raise GpubtError unless `record`, in the types that JSON knows, keeps to the schema."""
    wrong = violation(record)
    if wrong is not None:
        raise GpubtError(f"the benchmark record breaks its schema ({SCHEMA_FILE.name}): {wrong}")
