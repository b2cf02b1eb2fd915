// Indicators, to the bit of gpubt/indicators/reference.py; docs/design.md has the arithmetic. Every value of `out` is written by exactly one
// thread of a launch: a window's by the thread of its boundary, a recurrence's by that of its block and then by that of its bar.
// `first` is the index of the input's first valid value; what comes before an indicator's own first value is NaN.

const i64 SMOOTH_BLOCK = 1024;
const double SMOOTH_TINY = 1e-100;
enum { SMOOTH_RAW, SMOOTH_RISES, SMOOTH_FALLS, SMOOTH_RANGES };

FN void blank(double *out, i64 count) {
  for (i64 t = THREAD; t < count; t += THREADS) out[t] = not_a_number();
}

// Warm-up only: a series shorter than that.
KERNEL indicator_blank(double *out, i64 count) { blank(out, count); }

// Windows about boundaries first + k * length: sums that run back from the boundary wait in `out`, each where the window that needs it ends,
// for the sums that run forward.
KERNEL window_mean(const double *x, i64 bars, i64 first, i64 length, double inv, double *out) {
  blank(out, first + length - 1);
  for (i64 s = first + THREAD * length; s < bars; s += THREADS * length) {
    const bool inner = s > first;
    const double a = x[s];
    double sum = 0.0;
    for (i64 i = s - 1; inner && i > s - length; i--) {
      sum = sum + (x[i] - a);
      if (i + length - 1 < bars) out[i + length - 1] = sum;
    }
    sum = 0.0;
    for (i64 t = s; t < least(s + length, bars); t++) {
      sum = sum + (x[t] - a);
      if (t == s + length - 1) out[t] = a + sum * inv;
      else if (inner) out[t] = a + (out[t] + sum) * inv;
    }
  }
}

// Weights 1 to length: before the boundary the sum of the sums that run back, after it each value times its place, and once more for each value
// before it.
KERNEL window_weighted(const double *x, i64 bars, i64 first, i64 length, double inv, double *out) {
  blank(out, first + length - 1);
  for (i64 s = first + THREAD * length; s < bars; s += THREADS * length) {
    const bool inner = s > first;
    const double a = x[s];
    double sum = 0.0, weighted = 0.0;
    for (i64 i = s - 1; inner && i > s - length; i--) {
      sum = sum + (x[i] - a);
      weighted = weighted + sum;
      if (i + length - 1 < bars) out[i + length - 1] = weighted;
    }
    sum = 0.0, weighted = 0.0;
    for (i64 t = s; t < least(s + length, bars); t++) {
      const double d = x[t] - a;
      sum = sum + d, weighted = weighted + (double)(t - s + 1) * d;
      if (t == s + length - 1) out[t] = a + weighted * inv;
      else if (inner) out[t] = a + ((out[t] + weighted) + (double)(s + length - 1 - t) * sum) * inv;
    }
  }
}

FN double deviation(double sum, double squares, double inv) { return sqrt(larger(0.0, (squares - (sum * sum) * inv) * inv)); }

// `squares` (bars,) holds the sums of squares as `out` holds the sums.
KERNEL window_deviation(const double *x, i64 bars, i64 first, i64 length, double inv, double *squares, double *out) {
  blank(out, first + length - 1);
  for (i64 s = first + THREAD * length; s < bars; s += THREADS * length) {
    const bool inner = s > first;
    const double a = x[s];
    double sum = 0.0, square = 0.0;
    for (i64 i = s - 1; inner && i > s - length; i--) {
      const double d = x[i] - a;
      sum = sum + d, square = square + d * d;
      if (i + length - 1 < bars) out[i + length - 1] = sum, squares[i + length - 1] = square;
    }
    sum = 0.0, square = 0.0;
    for (i64 t = s; t < least(s + length, bars); t++) {
      const double d = x[t] - a;
      sum = sum + d, square = square + d * d;
      if (t == s + length - 1) out[t] = deviation(sum, square, inv);
      else if (inner) out[t] = deviation(out[t] + sum, squares[t] + square, inv);
    }
  }
}

// The largest of sign * x: `sign` 1 for the highest value, -1 for the lowest.
KERNEL window_extreme(const double *x, i64 bars, i64 first, i64 length, double sign, double *out) {
  blank(out, first + length - 1);
  for (i64 s = first + THREAD * length; s < bars; s += THREADS * length) {
    const bool inner = s > first;
    double best = -infinity();
    for (i64 i = s - 1; inner && i > s - length; i--) {
      best = larger(best, sign * x[i]);
      if (i + length - 1 < bars) out[i + length - 1] = best;
    }
    best = -infinity();
    for (i64 t = s; t < least(s + length, bars); t++) {
      best = larger(best, sign * x[t]);
      if (t == s + length - 1) out[t] = sign * best + 0.0;
      else if (inner) out[t] = sign * larger(out[t], best) + 0.0;
    }
  }
}

KERNEL rate_of_change(const double *x, i64 bars, i64 first, i64 length, double *out) {
  blank(out, first + length);
  for (i64 t = first + length + THREAD; t < bars; t += THREADS) {
    const double then = x[t - length];
    out[t] = then != 0.0 ? (x[t] / then - 1.0) * 100.0 : 0.0;
  }
}

// What a recurrence smooths, at bar t; the series itself comes in place of all three columns.
FN double smoothed(i64 what, const double *high, const double *low, const double *close, i64 t) {
  if (what == SMOOTH_RAW) return close[t];
  const double before = close[t - 1];
  if (what == SMOOTH_RANGES) return larger(larger(high[t] - low[t], fabs(high[t] - before)), fabs(low[t] - before));
  const double rise = close[t] - before;
  return larger(0.0, what == SMOOTH_RISES ? rise : -rise);
}

// y = (1 - k) y' + k x, seeded at first + length - 1, in three launches. Blocks begin at `start` = first + length.
// 1. Each block from zero, on deviations from its anchor: z = b z + k (x - anchor), into `out`.
KERNEL smooth_scan(i64 what, const double *high, const double *low, const double *close, i64 bars, i64 start, double k, double *out) {
  const double b = 1.0 - k;
  for (i64 s = start + THREAD * SMOOTH_BLOCK; s < bars; s += THREADS * SMOOTH_BLOCK) {
    const double a = what == SMOOTH_RAW ? close[s] : 0.0;
    double z = 0.0;
    for (i64 t = s; t < least(s + SMOOTH_BLOCK, bars); t++) out[t] = z = b * z + k * (smoothed(what, high, low, close, t) - a);
  }
}

// 2. One thread: the seed, the powers of b (SMOOTH_BLOCK,), and the last output before each block (blocks,).
KERNEL smooth_carry(i64 what, const double *high, const double *low, const double *close, i64 bars, i64 start, i64 length, double k, double inv,
                    double *__restrict__ powers, double *__restrict__ carried, double *__restrict__ out) {
  if (THREAD != 0) return;
  const i64 first = start - length;
  double a = what == SMOOTH_RAW ? close[first] : 0.0, sum = 0.0, p = 1.0;
  for (i64 t = first; t < start; t++) sum = sum + (smoothed(what, high, low, close, t) - a);
  double y = out[start - 1] = a + sum * inv;
  for (i64 i = 0; i < SMOOTH_BLOCK; i++) {
    p = p * (1.0 - k);
    if (p < SMOOTH_TINY) p = 0.0;
    powers[i] = p;
  }
  carried[0] = y;
  const i64 blocks = (bars - start + SMOOTH_BLOCK - 1) / SMOOTH_BLOCK;
#pragma unroll 8  // several ends of blocks are on their way while one is used
  for (i64 block = 1; block < blocks; block++) {
    const i64 s = start + block * SMOOTH_BLOCK;
    a = what == SMOOTH_RAW ? close[s - SMOOTH_BLOCK] : 0.0;
    carried[block] = y = a + (out[s - 1] + p * (y - a));
  }
}

// 3. Every bar: the carried deviation enters once, times the power of b.
KERNEL smooth_apply(i64 what, const double *close, i64 bars, i64 start, const double *powers, const double *carried, double *out) {
  blank(out, start - 1);
  for (i64 t = start + THREAD; t < bars; t += THREADS) {
    const i64 block = (t - start) / SMOOTH_BLOCK, i = (t - start) % SMOOTH_BLOCK;
    const double a = what == SMOOTH_RAW ? close[start + block * SMOOTH_BLOCK] : 0.0;
    out[t] = a + (out[t] + powers[i] * (carried[block] - a));
  }
}

// rsi from the smoothed rises, which it replaces, and falls; `begin` is the seed's bar.
KERNEL relative_strength(const double *falls, i64 bars, i64 begin, double *out) {
  for (i64 t = begin + THREAD; t < bars; t += THREADS) {
    const double total = out[t] + falls[t];
    out[t] = total > 0.0 ? 100.0 * (out[t] / total) : 0.0;
  }
}

enum { PLUS, TIMES, LINEAR, OVER, MAGNITUDE, LAG, STOCHASTIC, LARGER, SMALLER, RATIO, EFFICIENCY };

FN double element(i64 op, double x, double y, double z, double a, double b) {
  switch (op) {
    case PLUS: return x + a * y;
    case TIMES: return x * y;
    case LINEAR: return a * x + b;
    case OVER: return x / a;
    case MAGNITUDE: return fabs(x);
    case LAG: return x;
    case RATIO: return y != 0.0 ? x / y : 0.0;
    case EFFICIENCY: return y <= x || y == 0.0 ? 1.0 : x / y;
    case LARGER: return x < y ? y : x >= y ? x : not_a_number();
    case SMALLER: return y < x ? y : y >= x ? x : not_a_number();
    default: return z - y != 0.0 ? 100.0 * ((x - y) / (z - y)) : 0.0;
  }
}

// Arithmetic on series of `back` bars ago, from bar `begin` on; a, b are its parameters.
KERNEL elementwise(i64 op, const double *x, const double *y, const double *z, i64 bars, double a, double b, i64 begin, i64 back, double *out) {
  blank(out, begin);
  for (i64 t = begin + THREAD; t < bars; t += THREADS) out[t] = element(op, x[t - back], y[t - back], z[t - back], a, b);
}
