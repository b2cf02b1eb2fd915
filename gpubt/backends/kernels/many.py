"""Many sets in one call: each is walked and its account measured at once, in memory that the next one uses again."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.account import renew, single
from gpubt.backends.kernels.bits import OPTIONS, record_reader
from gpubt.backends.kernels.market import TABLE
from gpubt.backends.kernels.marks import STATE
from gpubt.backends.kernels.simulate import walk
from gpubt.simulate import layout as k

# Addresses of one set: its TABLE, PARAMS and ENTRY record, its RUNG records, its account (a STATE of marks.py) and its tally
JOB = np.dtype([(name, "u8") for name in ("table", "params", "entry", "rungs", "account", "tally")])

job_at, table_at, params_at = record_reader(JOB), record_reader(TABLE), record_reader(k.PARAMS)
entry_at, tally_at, account_at = record_reader(k.ENTRY), record_reader(k.TALLY), record_reader(STATE)


@njit(**OPTIONS)
def run_sets(jobs, first, last, n, bar_by_bar, s):
    """Sets [first, last) of the JOB records at the address `jobs`, whose tallies are zeros with best and worst NaN. `s` is the state of a
    walk, this thread's own, with a ledger for the largest set."""
    for j in range(first, last):
        job = job_at(jobs, j)
        p, a, out = params_at(job.params, 0), account_at(job.account, 0), tally_at(job.tally, 0)
        s.rungs = job.rungs
        renew(a, p)
        a.ledger, a.rows = s.ledger, walk(table_at(job.table, 0), n, p, entry_at(job.entry, 0), s, bar_by_bar)
        single(a, p.capital, out)
        out.hash = np.int64(a.hash)
