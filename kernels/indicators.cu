// Indicators, to the bit of gpubt/indicators/reference.py; docs/design.md has the arithmetic. Those of each bar for itself are here; windows.cu
// and smooth.cu have those that a thread walks.
// `first` is the index of the input's first valid value; what comes before an indicator's own first value is NaN.

FN void blank(double *out, i64 count) {
  for (i64 t = THREAD; t < count; t += THREADS) out[t] = not_a_number();
}

// Warm-up only: a series shorter than that.
KERNEL indicator_blank(double *out, i64 count) { blank(out, count); }

KERNEL rate_of_change(const double *x, i64 bars, i64 first, i64 length, double *out) {
  blank(out, first + length);
  for (i64 t = first + length + THREAD; t < bars; t += THREADS) {
    const double then = x[t - length];
    out[t] = then != 0.0 ? (x[t] / then - 1.0) * 100.0 : 0.0;
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

// Several steps of arithmetic in one pass: rows (operation, places of x, y, z) of `code` with their `numbers`. A place below `count` is a leaf, so many
// bars back; the others are the steps before.
const int MOST_STEPS = 32;
KERNEL arithmetic(const i64 *code, const double *numbers, i64 steps, const double *const *leaves, const i64 *backs, i64 count, i64 bars, i64 begin,
                  double *out) {
  blank(out, begin);
  for (i64 t = begin + THREAD; t < bars; t += THREADS) {
    double done[MOST_STEPS];
    auto at = [&](i64 place) { return place < count ? leaves[place][t - backs[place]] : done[place - count]; };
    for (i64 row = 0; row < steps; row++) {
      const i64 *own = code + 4 * row;
      done[row] = element(own[0], at(own[1]), at(own[2]), at(own[3]), numbers[2 * row], numbers[2 * row + 1]);
    }
    out[t] = done[steps - 1];
  }
}
