"""List mode against the loops: 17,700 trades on 6.9 million bars. `python -m bench.brackets [narrow wide ...] [--bars N]`

Agreement first (exit bars, reasons, pnl to 1e-12; event mode and bar mode to the bit; and the figures that the origin published for its
own engine); then the times.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np

from bench import rivals
from bench.harness import paired, save, show
from bench.workloads import BRACKETS, Brackets, bracket_parameters, entry_records
from gpubt.simulate.layout import END_OF_DATA, RUNG, STOP, TARGET, TIME
from gpubt.simulate.ledger import ledger_digest

ORIGIN = {"stops": 11_808, "targets": 5_890, "timeouts": 2, "pnl_sum": -0.05543134505, "win_rate": 0.332824859, "mean_hold": 798.90}
BARS = 6_900_000


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(BRACKETS)}; all without")
    parser.add_argument("--bars", type=int, default=BARS)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    for name in options.workloads or BRACKETS:
        measure(name, BRACKETS[name](options.bars), options.rounds)


def measure(name: str, work: Brackets, rounds: int) -> None:
    """One workload."""
    from gpubt.backends.cpu import CpuBackend

    backend = CpuBackend()
    compiled = rivals.numba_loop(backend.threads)
    market = backend.upload(work.columns)
    given = (market, {}, entry_records(work), work.levels, np.zeros(0, RUNG), bracket_parameters(work))
    run = partial(backend.simulate_list, *given)
    plain = f"plain numba loop, {backend.threads} threads, exits only"
    cases: dict[str, Any] = {
        plain: lambda: rivals.run(work, compiled),
        "gpubt, full ledger": lambda: run("event"),
        "gpubt block index, once": lambda: backend.upload(work.columns).prices.made,
    }
    event, dense = backend.trades(run("event")), backend.trades(run("bar"))
    assert ledger_digest([event]) == ledger_digest([dense])
    agree(work, cases[plain](), event)
    if name == "origin" and len(work.columns["close"]) == BARS:
        agree_with_origin(event)
    results = paired(cases, rounds, repeats=5) | paired({"gpubt bar mode": lambda: run("bar")}, 3)
    if name == "origin":
        results |= paired({"plain Python loop": lambda: rivals.run(work, rivals.loop, rivals.inputs(work, plain=True))}, 1)
    hold = float((event["exit_bar"] - event["entry_bar"]).mean())
    print(f"\n{name}: {len(event)} trades, {hold:.0f} bars each")
    show(results, plain)
    print(
        save(
            f"brackets-{name}",
            f"{len(work.bar)} trades of {hold:.0f} bars, {len(work.columns['close'])} bars",
            results,
            threads=backend.threads,
        )
    )


def agree(work: Brackets, exits: rivals.Exits, trades: Any) -> None:
    """Raise unless both gave the same exits."""
    x, reason, pnl = exits
    assert (trades["exit_bar"] == x).all() and (trades["reason"] == reason).all()
    assert np.allclose(trades["pnl_pct"], pnl, rtol=0, atol=1e-12)


def agree_with_origin(trades: Any) -> None:
    """Raise unless these are the figures by which the origin describes its run."""
    got = origin_figures(trades)
    assert all(abs(got[key] - want) <= 1e-9 * max(1.0, abs(want)) or key == "mean_hold" for key, want in ORIGIN.items()), got
    assert round(got["mean_hold"], 2) == ORIGIN["mean_hold"]


def origin_figures(trades: Any) -> dict[str, float]:
    """The figures by which the origin describes a run. A window that the data cuts short is a timeout there."""
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
