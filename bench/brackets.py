"""List mode against the loops: 17,700 brackets on 6.9 million bars. `python -m bench.brackets [--wide] [--bars N]`

Agreement first (exit bars, reasons, pnl to 1e-12), and the figures that the origin published for its own engine; then the times.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from bench import rivals
from bench.harness import paired, save, show
from bench.workloads import Brackets, bracket_parameters, brackets, entry_records
from gpubt.simulate.layout import END_OF_DATA, RUNG, STOP, TARGET, TIME

ORIGIN = {"stops": 11_808, "targets": 5_890, "timeouts": 2, "pnl_sum": -0.05543134505, "win_rate": 0.332824859, "mean_hold": 798.90}


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wide", action="store_true", help="stops of 2 %%, targets of 4 %%: trades that last for days")
    parser.add_argument("--bars", type=int, default=6_900_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    work = brackets(options.bars, stop=0.02, target=0.04) if options.wide else brackets(options.bars)
    name = f"brackets{'-wide' if options.wide else ''}"

    from gpubt.backends.cpu import CpuBackend

    backend, compiled = CpuBackend(), rivals.numba_loop()
    entries, params, rungs = entry_records(work), bracket_parameters(work), np.zeros(0, RUNG)
    market = backend.upload(work.columns)
    cases: dict[str, Any] = {
        "plain Python loop": lambda: rivals.run(work, rivals.loop, plain=True),
        "plain numba loop, 1 thread": lambda: rivals.run(work, compiled, plain=False),
        "gpubt bar mode": lambda: backend.simulate_list(market, {}, entries, {}, rungs, params, "bar"),
        "gpubt event mode": lambda: backend.simulate_list(market, {}, entries, {}, rungs, params, "event"),
        "gpubt block index, once": lambda: backend.upload(work.columns),
    }
    exits = cases["plain numba loop, 1 thread"]()
    agree(work, exits, backend.trades(cases["gpubt event mode"]()))
    agree(work, exits, backend.trades(cases["gpubt bar mode"]()))
    results = paired({key: case for key, case in cases.items() if "Python" not in key}, options.rounds)
    slow = paired({"plain Python loop": cases["plain Python loop"]}, 1)
    results = slow | results
    show(results, "plain numba loop, 1 thread")
    text = f"{len(work.bar)} brackets, stop {work.stop:g}, target {work.target:g}, {options.bars} bars; a full ledger"
    print(save(name, text, results, threads=backend.threads))


def agree(work: Brackets, exits: rivals.Exits, trades: Any) -> None:
    """Raise unless both gave the same exits, and the origin's figures where the workload is the origin's."""
    x, reason, pnl = exits
    ours = np.where(trades["reason"] == END_OF_DATA, TIME, trades["reason"])  # a window that the data cuts short is a timeout there
    assert (trades["exit_bar"] == x).all() and (ours == reason).all()
    assert np.allclose(trades["pnl_pct"], pnl, rtol=0, atol=1e-12)
    if len(work.columns["close"]) == 6_900_000 and work.stop == 0.002:
        got = origin_figures(trades)
        assert all(abs(got[key] - want) <= 1e-9 * max(1.0, abs(want)) or key == "mean_hold" for key, want in ORIGIN.items()), got
        assert round(got["mean_hold"], 2) == ORIGIN["mean_hold"]


def origin_figures(trades: Any) -> dict[str, float]:
    """The figures by which the origin describes a run."""
    counts = np.bincount(trades["reason"], minlength=10)
    pnl = trades["pnl_pct"]
    return {
        "stops": int(counts[STOP]),
        "targets": int(counts[TARGET]),
        "timeouts": int(counts[TIME] + counts[END_OF_DATA]),
        "pnl_sum": float(sum(pnl.tolist())),
        "win_rate": float((pnl > 0).mean()),
        "mean_hold": float((trades["exit_bar"] - trades["entry_bar"]).mean()),
    }


if __name__ == "__main__":
    main()
