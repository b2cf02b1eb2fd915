"""The check of a machine with a GPU, network or not: `make gpu-check`. Tests, comparisons with the CPU, timings; one JSON.

GPUBT_WHEELS=FOLDER installs the wheels there first, into a temporary folder, for machines that can't download (name CuPy and pytest too
unless the interpreter has them). The record is written after each result, so that an interrupted check keeps what it has; docs/kernels.md
says how to read it. Exit status: 0 all equal, 1 a test failed, a result differs or a step broke off with an error, 2 no device answers or
there is no such step.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.lease import Deadline, Plan, TimeUp

ROOT = Path(__file__).resolve().parents[1]
Rows = Iterator[dict[str, Any]]
QUICK = 10  # times fewer bars, and sets, trades or lengths


def steps() -> dict[str, Callable[[Plan], Rows]]:
    """By name; what costs most comes last, because a lease may end before it."""
    from bench import gpu_agreement, gpu_cases, gpu_sanitizer  # whose imports may be among the wheels

    return {
        "tests": lambda plan: gpu_agreement.gpu_tests(),
        "runs": lambda plan: gpu_agreement.runs(),
        "sweeps": lambda plan: gpu_agreement.sweeps(),
        "sanitizer": lambda plan: gpu_sanitizer.sanitized(),
        "single": gpu_cases.single,
        "indicators": gpu_cases.indicators,
        "crossover": gpu_cases.crossover,
        "exits": gpu_cases.exits,
        "brackets": gpu_cases.brackets,
        "streams": gpu_cases.streams,
        "break-even": gpu_cases.break_even,
        "million": gpu_cases.million,
    }


def main(arguments: list[str] | None = None) -> int:
    """Check, time, print, record."""
    given = sys.argv[1:] if arguments is None else arguments
    options = parsed(given)
    deadline = Deadline(options.minutes)
    wheels = os.environ.get("GPUBT_WHEELS")
    if wheels:
        return with_wheels(Path(wheels), given, deadline)
    known = steps()
    if unknown := [name for name in options.steps if name not in known]:
        print(f"gpu-check: no step {unknown[0]!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    from gpubt.device import cuda_status

    status = cuda_status()
    if not status.available:
        print(f"gpu-check: {status.reason}", file=sys.stderr)
        return 2
    print(f"{status.devices[0]['name']}, driver {status.devices[0].get('driver')}")
    record, out = begun(options)
    plan = Plan(QUICK if options.quick else 1, options.long, deadline)
    for name in options.steps or known:
        taken(record, name, known[name], plan, out)
    record["complete"] = all(step["stopped"] is None for step in record["steps"].values())
    write(record, out)
    ended = "passed" if record["passed"] else "FAILED"
    print(f"{ended}{'' if record['complete'] else ', stopped by the time limit'}: {out}")
    return 0 if record["passed"] else 1


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", help="steps by name, as docs/kernels.md lists them; all without")
    parser.add_argument("--out", type=Path, help="the record (default: bench/records/gpu-check-DATE.json)")
    parser.add_argument("--quick", action="store_true", help=f"timings of {QUICK} times fewer bars, and sets")
    parser.add_argument("--long", action="store_true", help="a million sets over 6.9 million bars too")
    parser.add_argument("--minutes", type=float, help="stop before that many minutes are over, with what is done")
    return parser.parse_args(arguments)


def with_wheels(wheels: Path, arguments: list[str], deadline: Deadline) -> int:
    """Run this again with the wheels of a folder on the path, for the time that is left."""
    with tempfile.TemporaryDirectory() as site:
        files = sorted(map(str, wheels.glob("*.whl")))
        install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--target", site, *files]
        subprocess.run([sys.executable, *install], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "GPUBT_WHEELS"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), site, os.environ.get("PYTHONPATH")]))
        minutes = ["--minutes", str(deadline.left() / 60.0)] if deadline.left() < inf else []
        return subprocess.run([sys.executable, "-m", "bench.gpu_check", *arguments, *minutes], env=environment, check=False).returncode


def begun(options: argparse.Namespace) -> tuple[dict[str, Any], Path]:
    """A record without results, and where it goes."""
    from gpubt.device import cuda_status
    from gpubt.records.environment import cuda_versions, hardware, kernels_digest, versions

    now, status = datetime.now(UTC), cuda_status()
    record = {
        "case": "gpu-check",
        "date": now.isoformat(timespec="seconds"),
        "options": {name: value for name, value in vars(options).items() if name != "out"},
        "passed": True,
        "complete": False,
        "steps": {},
        "kernels": kernels_digest(),
        "versions": {**versions(), **cuda_versions(status)},
        "hardware": hardware(status),
    }
    return record, options.out or ROOT / "bench" / "records" / f"gpu-check-{now:%Y%m%dT%H%M%SZ}.json"


def taken(record: dict[str, Any], name: str, step: Callable[[Plan], Rows], plan: Plan, out: Path) -> None:
    """One step, whose rows are in the record as they come. What goes wrong in it ends it, and not the check."""
    own: dict[str, Any] = {"seconds": 0.0, "stopped": None, "error": None, "rows": []}
    record["steps"][name] = own
    start = perf_counter()
    try:
        with plan.deadline.enforced():
            for row in step(plan):
                own["rows"].append(row)
                own["seconds"] = perf_counter() - start
                record["passed"] &= row.get("equal") is not False and row.get("passed") is not False
                print(line(name, row), flush=True)
                write(record, out)
    except TimeUp:
        own["stopped"] = "the time limit"
    except Exception as error:  # the next step may still tell something, and the machine is here only now
        own["error"] = f"{type(error).__name__}: {error}"
        record["passed"] = False
        print(f"{name:10} {own['error']}", flush=True)
    own["seconds"] = perf_counter() - start
    write(record, out)


def write(record: dict[str, Any], out: Path) -> None:
    """The record so far; the file is whole at any time."""
    from gpubt.records.arrow import write_json

    write_json(record, out)


def line(step: str, row: dict[str, Any]) -> str:
    """A row for the terminal."""
    verdict = row.get("equal", row.get("passed"))
    words = {True: "equal" if "equal" in row else "passed", False: "DIFFERS" if "equal" in row else "FAILED", None: ""}[verdict]
    output = "\n".join(["", *row.get("output", [])])
    return f"{step:10} {words:8} {row['what']}{'  ' + row['result'] if 'result' in row else ''}{output.rstrip()}"


if __name__ == "__main__":
    sys.exit(main())
