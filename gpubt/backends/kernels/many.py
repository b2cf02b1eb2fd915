"""Many sets in one call: each is walked and its account measured at once, in memory that the next one uses again."""

from __future__ import annotations

import numpy as np
from numba import njit

from gpubt.backends.kernels.account import HASH_SEED, single
from gpubt.backends.kernels.bits import INNER, OPTIONS, record_reader
from gpubt.backends.kernels.market import TABLE
from gpubt.backends.kernels.marks import LANES, lane_at, mark_at
from gpubt.backends.kernels.simulate import walk
from gpubt.simulate import layout as k

# Addresses: of a TABLE, PARAMS, ENTRY record and of the RUNG records of one set
JOB = np.dtype([(name, "u8") for name in ("table", "params", "entry", "rungs")])

job_at, table_at, params_at = record_reader(JOB), record_reader(TABLE), record_reader(k.PARAMS)
entry_at, tally_at = record_reader(k.ENTRY), record_reader(k.TALLY)


@njit(**INNER)
def renew(a, p):
    """The state of an account that is measured from the start again."""
    a.carry_long, a.carry_short = p.carry_long, p.carry_short
    a.base, a.q, a.ref, a.slope, a.late, a.fees, a.shift, a.deepest = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    a.peak_q, a.peak_ref, a.peak_from, a.start, a.at, a.since, a.period = 0.0, 0.0, 0, 0, 0, 0, 0
    a.hash = np.uint64(HASH_SEED)
    for i in range(LANES):
        lane = lane_at(a.lanes, i)
        lane.sum, lane.square, lane.downside = 0.0, 0.0, 0.0


@njit(**INNER)
def sum_blocks(a, capital, sums, squares):
    """Sums of the excess returns and of their squares over equal numbers of periods."""
    blocks, before, i = len(sums), capital, 0
    for b in range(blocks):
        total, square = 0.0, 0.0
        while i < a.periods * (b + 1) // blocks:
            equity = mark_at(a.marks, i).equity
            excess = (equity / before - 1.0 if before > 0.0 else 0.0) - a.risk_free
            total += excess
            square += excess * excess
            before = equity
            i += 1
        sums[b], squares[b] = total, square


@njit(**OPTIONS)
def run_sets(jobs, first, last, n, bar_by_bar, s, a, tallies, sums, squares):
    """Sets [first, last) of the JOB records at the address `jobs`: TALLY records at `tallies`, zeros with best and worst NaN, and rows of
    `sums` and `squares`. `s` and `a` are states of the walk and of the account, this thread's own, with a ledger for the largest set."""
    for j in range(first, last):
        job = job_at(jobs, j)
        p, out = params_at(job.params, 0), tally_at(tallies, j)
        s.rungs = job.rungs
        a.rows = walk(table_at(job.table, 0), n, p, entry_at(job.entry, 0), s, bar_by_bar)
        renew(a, p)
        single(a, p.capital, out)
        out.hash = np.int64(a.hash)
        sum_blocks(a, p.capital, sums[j], squares[j])
