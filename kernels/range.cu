// What a bar's range does to a position: the policies of sim.same_bar, and the finer bars that settle what they disagree on.
// gpubt/backends/kernels/inside.py is the same in numba.

// Is the stop before the targets, is it touched, and the best price that counts for the targets; `known`: finer bars told it.
struct Look { bool stop_first, stop_hit; double reach; bool known; };
struct Bar { double open, high, low, close; };

// One policy on one bar; `entered` is MARKET for a position from before, else how it was filled inside this bar.
DEVICE Look look(i64 policy, i64 entered, i64 side, const Bar &b, double stop) {
  if (policy == ADAPTIVE) {
    const double up = b.high - b.open, down = b.open - b.low;
    policy = up == down ? STOP_FIRST : up < down ? OHLC : OLHC;
  }
  if (side < 0) policy = policy == OHLC ? OLHC : policy == OLHC ? OHLC : policy;
  bool stop_first = policy == STOP_FIRST || policy == OLHC, by_close = false, reach_close = false;
  if (entered == STOP_ORDER) {
    stop_first = policy == STOP_FIRST;
    by_close = policy == TARGET_FIRST || policy == OLHC;
  } else if (entered == LIMIT) {
    stop_first = policy != TARGET_FIRST;
    reach_close = policy == STOP_FIRST || policy == OHLC;
  }
  const double against = side > 0 ? b.low : b.high, favourable = side > 0 ? b.high : b.low;
  return {stop_first, (double)side * ((by_close ? b.close : against) - stop) <= 0.0, reach_close ? b.close : favourable, true};
}

// Targets filled, times two, plus whether the stop then takes the rest.
FN i64 outcome(const Params &p, const State &s, const Look &found) {
  if (found.stop_first && found.stop_hit) return 1;
  i64 filled = 0;
  double left = s.units;
  for (i64 i = s.rung, end = s.rung + touched(s, found.reach); i < end; i++) {
    const double units = target_units(p, s, i);
    filled++;
    left = units < left ? left - units : 0.0;
    if (left == 0.0) return filled * 2;
  }
  return filled * 2 + (found.stop_hit ? 1 : 0);
}

// Whether the four fixed policies differ on this bar.
DEVICE bool disagree(const Params &p, const State &s, i64 entered, const Bar &b, double stop) {
  const double side = s.side;
  if (entered == MARKET)  // they differ only in the order of what is touched
    return side * ((s.side > 0 ? b.low : b.high) - stop) <= 0.0 && side * ((s.side > 0 ? b.high : b.low) - s.target) >= 0.0;
  const i64 common = outcome(p, s, look(STOP_FIRST, entered, s.side, b, stop));
  for (i64 policy = TARGET_FIRST; policy <= OLHC; policy++)
    if (outcome(p, s, look(policy, entered, s.side, b, stop)) != common) return true;
  return false;
}

// What the finer bars of bar t say about the order of its levels.
DEVICE Look in_detail(const Prices &x, const Params &p, const State &s, i64 t, i64 entered, double price, double stop) {
  const double side = s.side, none = -side * infinity();
  const Look unknown = {false, false, none, false};
  double reach = none;
  if (!x.finer_first || (entered != MARKET && p.order == STOP_LIMIT)) return unknown;
  i64 start = x.finer_first[t];
  const i64 end = x.finer_first[t + 1];
  const double *worst = s.side > 0 ? x.finer_low : x.finer_high, *best = s.side > 0 ? x.finer_high : x.finer_low;
  if (entered != MARKET) {
    const double falls = entered == LIMIT ? side : -side, *edge = entered == LIMIT ? worst : best;
    while (start < end && !(falls * (edge[start] - price) <= 0.0)) start++;
    if (start >= end) return unknown;
    const Bar b = {x.finer_open[start], x.finer_high[start], x.finer_low[start], x.finer_close[start]};
    if (falls * (b.open - price) > 0.0) {  // filled inside this finer bar
      if (disagree(p, s, entered, b, stop)) return unknown;
      const Look own = look(STOP_FIRST, entered, s.side, b, stop);
      if (own.stop_hit) return {true, true, none, true};
      reach = own.reach;
      start++;
    }
  }
  for (i64 f = start; f < end; f++) {
    const double further = side * (best[f] - reach) > 0.0 ? best[f] : reach;
    if (side * (worst[f] - stop) <= 0.0) {
      if (touched(s, further) > touched(s, reach)) return unknown;
      return {touched(s, reach) == 0, true, reach, true};
    }
    reach = further;
  }
  return {false, false, reach, entered != MARKET};
}
