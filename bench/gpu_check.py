"""The check of a machine with a GPU, network or not: `make gpu-check`. GPU tests, digests against the CPU, timings, one JSON record.

GPUBT_WHEELS=FOLDER installs the wheels there first, into a temporary folder, for machines that can't download (name CuPy and pytest too
unless the interpreter has them). Exit status: 0 all equal, 1 a test failed or a result differs, 2 no device answers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STRATEGIES = ("ema_cross", "rsi_reversion", "donchian_breakout", "trend_pullback")
SYNTHETIC = ("data=synthetic", "data.synthetic.bars=300007")  # not a multiple of 64: the last word of every mask is ragged
EXITS = ("exits.stop.pct=0.01", "exits.target.r=2", "costs.commission.rate=0.0005", "costs.slippage.rate=0.0001")
TIMED_BARS = (100_000, 1_000_000, 7_000_000)
TIMED_PHASES = ("transfer", "indicators", "scan", "simulate", "metrics")
ROUNDS = 5


def main() -> int:
    """Check, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the record (default: bench/records/gpu-check-DATE.json)")
    parser.add_argument("--no-tests", action="store_true", help="digests and timings only")
    options = parser.parse_args()
    wheels = os.environ.get("GPUBT_WHEELS")
    if wheels:
        return with_wheels(Path(wheels))
    sys.path.insert(0, str(ROOT))
    from gpubt.device import cuda_status
    from gpubt.records.arrow import write_json
    from gpubt.records.environment import cuda_versions, hardware, kernels_digest, versions

    status = cuda_status()
    if not status.available:
        print(f"gpu-check: {status.reason}", file=sys.stderr)
        return 2
    print(f"{status.devices[0]['name']}, driver {status.devices[0]['driver']}")
    tests = None if options.no_tests else gpu_tests()
    cases = [compared(case) for case in all_cases()]
    now = datetime.now(UTC)
    record = {
        "case": "gpu-check",
        "date": now.isoformat(timespec="seconds"),
        "passed": all(case["equal"] for case in cases) and (tests is None or tests["passed"]),
        "tests": tests,
        "cases": cases,
        "timings": [timed(bars) for bars in TIMED_BARS],
        "kernels": kernels_digest(),
        "versions": {**versions(), **cuda_versions(status)},
        "hardware": hardware(status),
    }
    out = options.out or ROOT / "bench" / "records" / f"gpu-check-{now:%Y%m%dT%H%M%SZ}.json"
    write_json(record, out)
    print(f"{'passed' if record['passed'] else 'FAILED'}: {out}")
    return 0 if record["passed"] else 1


def with_wheels(wheels: Path) -> int:
    """Run this file again with the wheels of a folder on the path."""
    with tempfile.TemporaryDirectory() as site:
        files = sorted(map(str, wheels.glob("*.whl")))
        install = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile", "--target", site, *files]
        subprocess.run([sys.executable, *install], check=True)
        environment = {name: value for name, value in os.environ.items() if name != "GPUBT_WHEELS"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")]))
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def gpu_tests() -> dict[str, Any]:
    """The tests marked gpu, none of them skipped for want of a device."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "--require-gpu"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    lines = (run.stdout + run.stderr).strip().splitlines()
    print("\n".join(lines[-1:] if run.returncode == 0 else lines[-60:]))
    return {"passed": run.returncode == 0, "result": lines[-1] if lines else ""}


def all_cases() -> list[tuple[str, ...]]:
    """Every strategy on both sources in both modes; and with percent exits and costs."""
    cases = []
    for source in (("data=sample",), SYNTHETIC):
        for strategy in STRATEGIES:
            cases += [(*source, f"strategy={strategy}", f"sim.mode={mode}", *exits) for mode in ("event", "bar") for exits in ((), EXITS)]
    return cases


def compared(case: tuple[str, ...]) -> dict[str, Any]:
    """The same overrides on both backends: digest, hash and every metric."""
    import gpubt

    cpu, cuda = (gpubt.run([*case, f"backend={backend}"]) for backend in ("cpu", "cuda"))
    assert cuda.benchmark["backend"] == "cuda", cuda.benchmark["backend_reason"]
    different = [key for key in cpu.metrics if cpu.metrics[key] != cuda.metrics[key]]
    digests = [(run.summary["ledger_digest"], run.summary["ledger_hash"]) for run in (cpu, cuda)]
    equal = digests[0] == digests[1] and not different
    print(f"{'equal ' if equal else 'DIFFER'} {cpu.summary['n_trades']:>7} trades  {' '.join(case)}")
    return {
        "case": " ".join(case),
        "trades": cpu.summary["n_trades"],
        "cpu": {"ledger_digest": digests[0][0], "ledger_hash": digests[0][1]},
        "cuda": {"ledger_digest": digests[1][0], "ledger_hash": digests[1][1]},
        "metrics_that_differ": different,
        "equal": equal,
    }


def timed(bars: int) -> dict[str, Any]:
    """Best seconds a phase of `ROUNDS` runs on each backend in turn, after one that warms up. `compared` has checked agreement."""
    import gpubt

    best: dict[str, dict[str, float]] = {"cpu": {}, "cuda": {}}
    for number in range(ROUNDS + 1):
        for backend, phases in best.items():
            result = gpubt.run(["data=synthetic", f"data.synthetic.bars={bars}", "strategy=ema_cross", f"backend={backend}"])
            for name in TIMED_PHASES if number else ():
                seconds = result.benchmark["phases"][name]["seconds"]
                phases[name] = min(seconds, phases.get(name, seconds))
    totals = {backend: sum(phases.values()) for backend, phases in best.items()}
    print(
        f"{bars:>10,} bars  cpu {totals['cpu'] * 1e3:9.2f} ms  cuda {totals['cuda'] * 1e3:9.2f} ms  {totals['cpu'] / totals['cuda']:.2f}x"
    )
    return {"workload": f"ema_cross on {bars} synthetic bars", "rounds": ROUNDS, "best_s": best, "total_s": totals}


if __name__ == "__main__":
    sys.exit(main())
