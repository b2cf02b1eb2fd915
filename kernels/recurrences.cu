// Indicators that go through the bars one after the other: one thread, to the bit of gpubt/indicators/recurrences.py, which says what each does.
enum { RECUR_CUMULATED, RECUR_WILDER, RECUR_ON_BALANCE, RECUR_ANCHORED, RECUR_ADAPTIVE, RECUR_PARABOLIC, RECUR_TREND, RECUR_HELD };

FN void sums(i64 op, const double *x, const double *y, const double *z, i64 bars, i64 first, double a, double *out) {
  double total = 0.0, traded = 0.0;
  const i64 n = (i64)a;
  for (i64 t = first; t < bars; t++) {
    switch (op) {
      case RECUR_CUMULATED: out[t] = total = total + x[t]; break;
      case RECUR_WILDER:
        if (t < first + n - 1) total = total + x[t];
        else out[t] = total = (total - total / (double)n) + x[t];
        break;
      case RECUR_ON_BALANCE:
        if (t == first) total = y[t];
        else if (x[t] > x[t - 1]) total = total + y[t];
        else if (x[t] < x[t - 1]) total = total - y[t];
        out[t] = total;
        break;
      default:
        if (t > first && z[t] != z[t - 1]) total = traded = 0.0;
        total = total + x[t] * y[t], traded = traded + y[t];
        out[t] = traded != 0.0 ? total / traded : x[t];
    }
  }
}

FN void adaptive(const double *x, const double *before, const double *efficiency, i64 bars, i64 first, double a, double b, double *out) {
  const double fast = 2.0 / (a + 1.0), slow = 2.0 / (b + 1.0);
  double y = before[first];
  for (i64 t = first; t < bars; t++) {
    const double weight = efficiency[t] * (fast - slow) + slow;
    out[t] = y = y + (weight * weight) * (x[t] - y);
  }
}

FN double clear_of_bars(double stop, double side, double before, double now) {
  if (side * (stop - before) > 0.0) stop = before;
  return side * (stop - now) > 0.0 ? now : stop;
}

FN void parabolic(const double *high, const double *low, i64 bars, i64 first, double a, double most, double *out) {
  const double step = a < most ? a : most, fall = low[first] - low[first + 1], rise = high[first + 1] - high[first];
  double side = fall > 0.0 && rise < fall ? -1.0 : 1.0, speed = step;
  double best = side > 0.0 ? high[first + 1] : low[first + 1], stop = side > 0.0 ? low[first] : high[first];
  for (i64 t = first + 1; t < bars; t++) {
    const i64 i = t - 1 > first + 1 ? t - 1 : first + 1;
    const double *against = side > 0.0 ? low : high, *favourable = side > 0.0 ? high : low;
    if (side * (against[t] - stop) <= 0.0) {
      side = -side;
      const double *turned = against;
      against = favourable, favourable = turned;
      out[t] = stop = clear_of_bars(best, side, against[i], against[t]);
      best = favourable[t], speed = step;
    } else {
      out[t] = stop;
      if (side * (favourable[t] - best) > 0.0) {
        best = favourable[t], speed = speed + step;
        if (speed > most) speed = most;
      }
    }
    stop = clear_of_bars(stop + speed * (best - stop), side, against[i], against[t]);
  }
}

FN void trend(const double *close, const double *upper, const double *lower, i64 bars, i64 first, double direction, double *out) {
  double side = 1.0, top = upper[first], bottom = lower[first];
  for (i64 t = first; t < bars; t++) {
    if (t > first) {
      top = upper[t] < top || close[t - 1] > top ? upper[t] : top;
      bottom = lower[t] > bottom || close[t - 1] < bottom ? lower[t] : bottom;
      side = side > 0.0 ? (close[t] >= bottom ? 1.0 : -1.0) : close[t] > top ? 1.0 : -1.0;
    }
    out[t] = direction != 0.0 ? side : side > 0.0 ? bottom : top;
  }
}

FN void held(const double *x, const double *y, i64 bars, i64 first, double *out) {
  double last = y[first];
  for (i64 t = first; t < bars; t++) out[t] = last = x[t] == y[t] ? x[t] : last;
}

// `begin` is the first bar with a value, `first` the first where all inputs are valid; a, b are the parameters.
KERNEL recur(i64 op, const double *x, const double *y, const double *z, i64 bars, i64 first, i64 begin, double a, double b, double *out) {
  blank(out, begin);
  if (THREAD != 0) return;
  switch (op) {
    case RECUR_ADAPTIVE: adaptive(x, y, z, bars, first, a, b, out); break;
    case RECUR_PARABOLIC: parabolic(x, y, bars, first, a, b, out); break;
    case RECUR_HELD: held(x, y, bars, first, out); break;
    case RECUR_TREND: trend(x, y, z, bars, first, a, out); break;
    default: sums(op, x, y, z, bars, first, a, out);
  }
}
