"""The baseline of success criterion SC-002: plain loops over the reference workload, timed here and now. `python -m bench.baseline`

The same exits as gpubt's list mode are checked first; the record has the digest of its ledger, by which later runs know the workload.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from bench import rivals
from bench.brackets import agree, agree_with_origin
from bench.harness import paired, save, show
from bench.workloads import bracket_parameters, entry_records, origin
from gpubt.bench.baseline import NUMBA_LOOP, PLAIN_LOOP, REFERENCE_ROWS
from gpubt.memory import host_peak_bytes
from gpubt.simulate.layout import RUNG
from gpubt.simulate.ledger import ledger_digest


def main() -> None:
    """Compare, time, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    from gpubt.backends.cpu import CpuBackend

    work, backend = origin(), CpuBackend()
    market = backend.upload(work.columns)
    trades = backend.trades(
        backend.simulate_list(market, {}, entry_records(work), {}, np.zeros(0, RUNG), bracket_parameters(work), "event")
    )
    compiled = rivals.numba_loop(backend.threads)
    agree(work, rivals.run(work, compiled), trades)
    agree_with_origin(trades)
    lists = rivals.inputs(work, plain=True)  # not in the time: a slower baseline would flatter
    cases: dict[str, Any] = {
        PLAIN_LOOP: lambda: rivals.run(work, rivals.loop, lists),
        NUMBA_LOOP: lambda: rivals.run(work, compiled),
    }
    results = paired(cases, rounds)
    show(results, PLAIN_LOOP)
    facts = {"rows": REFERENCE_ROWS, "trades": len(trades), "ledger_digest": ledger_digest([trades]), "threads": backend.threads}
    facts |= {"host_peak_bytes": host_peak_bytes(), "device_peak_bytes": None}
    print(save("baseline", "quantpipe's own: stops of 0.2 %, targets of 0.4 %, at most 14,400 bars", results, **facts))


if __name__ == "__main__":
    main()
