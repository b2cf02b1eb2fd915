// Windows that are gone through value by value, oldest first, a thread a bar: to the bit of gpubt/indicators/spans.py.
enum { DEVIATION, PRODUCT, RANK, HIGHEST_AGE, LOWEST_AGE };

// About the oldest value of the window.
FN double span_mean(const double *window, i64 length, double inv) {
  double sum = 0.0;
  for (i64 i = 0; i < length; i++) sum = sum + (window[i] - window[0]);
  return window[0] + sum * inv;
}

FN double span_product(i64 op, const double *x, const double *y, i64 length, double inv) {
  const double mean = span_mean(x, length, inv), other = op == PRODUCT ? span_mean(y, length, inv) : 0.0;
  double sum = 0.0;
  for (i64 i = 0; i < length; i++) sum = sum + (op == DEVIATION ? fabs(x[i] - mean) : (x[i] - mean) * (y[i] - other));
  return sum * inv;
}

FN double span_rank(const double *before, i64 length, double value, double share) {
  double below = 0.0;
  for (i64 i = 0; i < length; i++) below = below + (before[i] < value ? 1.0 : 0.0);
  return below * share;
}

FN double span_age(double sign, const double *window, i64 length) {
  double best = -infinity(), age = 0.0;
  for (i64 i = 0; i < length; i++)
    if (sign * window[i] >= best) best = sign * window[i], age = (double)(length - 1 - i);
  return age;
}

// From bar `begin` on; `scale` is 1 / length, of ranks 100 / length.
KERNEL span_values(i64 op, const double *x, const double *y, i64 bars, i64 begin, i64 length, double scale, double *out) {
  blank(out, begin);
  for (i64 t = begin + THREAD; t < bars; t += THREADS) {
    const i64 oldest = t - length + 1;
    switch (op) {
      case RANK: out[t] = span_rank(x + t - length, length, x[t], scale); break;
      case HIGHEST_AGE: out[t] = span_age(1.0, x + oldest, length); break;
      case LOWEST_AGE: out[t] = span_age(-1.0, x + oldest, length); break;
      default: out[t] = span_product(op, x + oldest, y + oldest, length, scale);
    }
  }
}
