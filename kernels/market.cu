// Searches over bars and masks that skip blocks. gpubt/backends/kernels/market.py is the same in numba.

FN double optional(const double *series, i64 t) { return series ? series[t] : not_a_number(); }
FN bool bit(const u64 *mask, i64 t) { return mask && (mask[t >> 6] >> (t & 63) & 1); }

// First set bit at or after bar t, or `end`; a null mask has none.
DEVICE i64 next_bit(const u64 *mask, i64 t, i64 end) {
  if (t >= end || !mask) return end;
  i64 at = t >> 6;
  const i64 last = (end - 1) >> 6;
  u64 word = mask[at] & (~0ull << (t & 63));
  while (!word) {
    if (++at > last) return end;
    word = mask[at];
  }
  return least((at << 6) + __ffsll((i64)word) - 1, end);
}

struct Range { double low, high; };
FN Range block_range(const Prices &x, i64 t, i64 size) {
  if (size == 8) return {x.low8[t >> 3], x.high8[t >> 3]};
  if (size == 64) return {x.low0[t >> 6], x.high0[t >> 6]};
  if (size == 512) return {x.low512[t >> 9], x.high512[t >> 9]};
  return {x.low1[t >> 12], x.high1[t >> 12]};
}
FN void take(Range &seen, const Range &r) {
  seen.low = r.low < seen.low ? r.low : seen.low;
  seen.high = r.high > seen.high ? r.high : seen.high;
}

// First bar in [t, end) whose range reaches `down` or `up`, or `end`; blocks whose extremes reach neither are skipped. `range` takes in the bars
// before it.
DEVICE i64 first_touch(const Prices &x, Range &range, i64 t, i64 end, double down, double up) {
  const double *low = x.low, *high = x.high;
  Range seen = range;
  while (t < end) {
    i64 size = 4096;
    Range r = {0.0, 0.0};
    for (; size > 1; size >>= 3) {
      if ((t & (size - 1)) || t + size > end) continue;
      r = block_range(x, t, size);
      if (r.low > down && r.high < up) break;
    }
    if (size > 1) {
      take(seen, r);
      t += size;
      continue;
    }
    const i64 stop = least(end, (t | 7) + 1);
    for (; t < stop && !(low[t] <= down || high[t] >= up); t++) take(seen, {low[t], high[t]});
    if (t < stop) break;
  }
  range = seen;
  return t;
}

// The range of bars [t, end).
FN Range extremes(const Prices &x, i64 t, i64 end) {
  Range seen = {infinity(), -infinity()};
  first_touch(x, seen, t, end, -infinity(), infinity());
  return seen;
}
