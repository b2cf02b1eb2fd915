// The simulation: entries, levels, exits; the walk from event to event, the dense loop, and tables of entries. Every formula has the order of
// evaluation of gpubt/simulate/reference.py. Plain device functions, then thin kernels.

struct Masks { const u64 *long_entry, *long_exit, *short_entry, *short_exit; };
// `moving`: whether the stop can move. `trail`: distance of the trailing stop; it and the break-even stop act from an extreme on.
struct Order { i64 skip; double price, units, fees, stop, target, risk; bool moving; double trail, trail_from, even_from, even; };
struct Touch { double price; i64 reason, ambiguous; bool gap; };
struct Stop { double price; i64 reason; };
struct Levels { i64 stop_kind; double stop_value; i64 target_kind; double target_value, size; };  // size NaN: as the parameters say

FN double charge(const Params &p, double units, double price) {
  return (p.commission_rate * (units * price) + p.commission_per_unit * units) + p.commission_fixed;
}
FN double commission(const Params &p, double units, double price) {
  const double cash = charge(p, units, price);
  return cash < p.commission_minimum ? p.commission_minimum : cash;
}
FN double slipped(const Params &p, double reference, double direction) { return reference + direction * (reference * p.slippage_rate); }

FN double sized(const Params &p, double equity, double price) {
  if (p.size_kind == PERCENT_EQUITY) {
    const double budget = p.size_value * equity;
    const double units = (budget - p.commission_fixed) / (price * (1.0 + p.commission_rate) + p.commission_per_unit);
    return charge(p, units, price) < p.commission_minimum ? (budget - p.commission_minimum) / price : units;
  }
  return p.size_kind == FIXED_UNITS ? p.size_value : p.size_value / price;
}
FN double capped_and_rounded(const Params &p, double units, double equity, double price, bool capped) {
  const double cap = (p.max_leverage * equity) / price;
  if (capped && units > cap) units = cap;
  if (p.lot > 0.0) {
    double lots = floor(units / p.lot);
    if ((lots + 1.0) * p.lot <= units) lots += 1.0;
    units = lots * p.lot;
  }
  return units;
}
FN double level(i64 kind, double value, double anchor, double direction, double atr, double risk) {
  if (kind == NONE) return direction * infinity();
  if (kind == PRICE) return value;
  if (kind == PCT) return anchor * (1.0 + direction * value);
  return anchor + direction * (kind == ATR ? value * atr : kind == R_MULTIPLE ? value * risk : value);
}

// A market entry at the raw price `reference`; `skip` is -1, or says why there is none.
FN Order order(const Params &p, const Levels &v, bool checked, double side, double reference, double close, double atr, double equity) {
  Order q = {-1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, false, 0.0, 0.0, 0.0, 0.0};
  if (!(equity > 0.0)) { q.skip = NO_EQUITY; return q; }
  const bool needs_atr = v.stop_kind == ATR || v.target_kind == ATR || p.trail_kind == ATR || p.even_kind == ATR;
  if (needs_atr && atr != atr) { q.skip = NAN_LEVEL; return q; }
  q.price = slipped(p, reference, side);
  const double anchor = p.anchor == ANCHOR_FILL ? q.price : close;
  q.stop = level(v.stop_kind, v.stop_value, anchor, -side, atr, 0.0);
  if (v.stop_kind != NONE && !(side * (q.price - q.stop) > 0.0)) { q.skip = WRONG_SIDE; return q; }
  q.target = level(v.target_kind, v.target_value, anchor, side, atr, side * (anchor - q.stop));
  q.units = capped_and_rounded(p, v.size != v.size ? sized(p, equity, q.price) : v.size, equity, q.price, checked);
  if (!(q.units > 0.0)) { q.skip = ZERO_SIZE; return q; }
  q.risk = v.stop_kind == NONE ? not_a_number() : side * (q.price - q.stop);
  q.fees = commission(p, q.units, q.price);
  q.moving = p.trail_kind != NONE || p.even_kind != NONE;
  q.trail = p.trail_kind == ATR ? p.trail_value * atr : p.trail_value;
  q.trail_from = level(p.trail_kind, p.trail_activation, q.price, side, atr, 0.0);
  q.even_from = level(p.even_kind, p.even_value, q.price, side, atr, q.risk);
  q.even = q.price * (1.0 + side * p.even_plus);
  return q;
}

// The order of a signal at the close of bar `signal`, filled at that close or at the next open; `atr` is null when no level needs it.
FN Order order_after(const Params &p, const Prices &x, const Levels &v, bool checked, double side, i64 signal, const double *atr, double equity) {
  const double reference = p.entry_at == AT_OPEN ? x.open[signal + 1] : x.close[signal];
  return order(p, v, checked, side, reference, x.close[signal], atr ? atr[signal] : not_a_number(), equity);
}
FN Levels levels_of(const Params &p) {
  Levels v = {p.stop_kind, p.stop_value, p.target_kind, p.target_value, not_a_number()};
  return v;
}

// The nearest of the initial, break-even and trailing stop when the best price so far is `extreme`; monotone in it.
FN Stop effective_stop(const Params &p, const Order &placed, double side, double extreme) {
  Stop s = {placed.stop, STOP};
  if (side * (extreme - placed.even_from) >= 0.0 && side * (placed.even - s.price) > 0.0) s.price = placed.even, s.reason = BREAK_EVEN;
  if (p.trail_kind != NONE && side * (extreme - placed.trail_from) >= 0.0) {
    const double trailing = p.trail_kind == PCT ? extreme * (1.0 - side * placed.trail) : extreme - side * placed.trail;
    if (side * (trailing - s.price) > 0.0) s.price = trailing, s.reason = TRAILING;
  }
  return s;
}
FN double better(double side, double best, double extreme) { return side * (best - extreme) > 0.0 ? best : extreme; }

// first_touch with a stop that follows the best price of the bars before; `extreme` becomes that price. A block is skipped when its range stays
// clear even of the stop that its own best price would raise.
FN i64 first_moving_touch(const Params &p, const Prices &x, const Order &placed, double side, i64 t, i64 end, double &extreme) {
  const bool up = side > 0.0;
  const double *against = up ? x.low : x.high, *best = up ? x.high : x.low;
  const double *against0 = up ? x.low0 : x.high0, *best0 = up ? x.high0 : x.low0;
  const double *against1 = up ? x.low1 : x.high1, *best1 = up ? x.high1 : x.low1;
  const double target = placed.target;
  while (t < end) {
    if (!(t & 4095) && t + 4096 <= end) {
      const i64 b = t >> 12;
      const double top = better(side, best1[b], extreme);
      if (side * (against1[b] - effective_stop(p, placed, side, top).price) > 0.0 && side * (best1[b] - target) < 0.0) {
        extreme = top;
        t += 4096;
        continue;
      }
    }
    if (!(t & 63) && t + 64 <= end) {
      const i64 b = t >> 6;
      const double top = better(side, best0[b], extreme);
      if (side * (against0[b] - effective_stop(p, placed, side, top).price) > 0.0 && side * (best0[b] - target) < 0.0) {
        extreme = top;
        t += 64;
        continue;
      }
    }
    const i64 stop = least(end, (t | 63) + 1);
    for (; t < stop; t++) {
      if (side * (against[t] - effective_stop(p, placed, side, extreme).price) <= 0.0 || side * (best[t] - target) >= 0.0) return t;
      extreme = better(side, best[t], extreme);
    }
  }
  return end;
}

// First bar in [t, end) whose range reaches `down` or `up`, or `end`. Blocks whose extremes reach neither are skipped.
FN i64 first_touch(const Prices &x, i64 t, i64 end, double down, double up) {
  while (t < end) {
    if (!(t & 4095) && t + 4096 <= end && x.low1[t >> 12] > down && x.high1[t >> 12] < up) t += 4096;
    else if (!(t & 63) && t + 64 <= end && x.low0[t >> 6] > down && x.high0[t >> 6] < up) t += 64;
    else {
      const i64 stop = least(end, (t | 63) + 1);
      for (; t < stop; t++) if (x.low[t] <= down || x.high[t] >= up) return t;
    }
  }
  return end;
}

FN bool stop_comes_first(i64 policy, double side, double o, double h, double low) {
  if (policy == STOP_FIRST || policy == TARGET_FIRST) return policy == STOP_FIRST;
  bool high_first = policy == OHLC;
  if (policy == ADAPTIVE) {
    if (h - o == o - low) return true;
    high_first = h - o < o - low;
  }
  return side < 0.0 ? high_first : !high_first;
}

// Stop or target in bar t: a gap at the open, then inside. Reason 0: neither.
FN Touch touch_at(const Params &p, const Prices &x, const Order &placed, double side, i64 t, double extreme) {
  const double o = x.open[t], h = x.high[t], low = x.low[t], target = placed.target;
  const Stop stop = effective_stop(p, placed, side, extreme);
  if (side * (o - stop.price) <= 0.0) { Touch q = {o, stop.reason, 0, true}; return q; }
  if (side * (o - target) >= 0.0) { Touch q = {o, TARGET, 0, true}; return q; }
  const double against = side > 0.0 ? low : h, favourable = side > 0.0 ? h : low;
  const bool hit_stop = side * (against - stop.price) <= 0.0, hit_target = side * (favourable - target) >= 0.0;
  const bool both = hit_stop && hit_target;
  if (hit_stop && (!both || stop_comes_first(p.same_bar, side, o, h, low))) { Touch q = {stop.price, stop.reason, both, false}; return q; }
  if (hit_target) { Touch q = {target, TARGET, both, false}; return q; }
  Touch q = {0.0, 0, 0, false};
  return q;
}

FN void extremes(const Prices &x, i64 t, i64 end, double &lowest, double &highest) {
  while (t < end) {
    double a, z;
    if (!(t & 4095) && t + 4096 <= end) { a = x.low1[t >> 12]; z = x.high1[t >> 12]; t += 4096; }
    else if (!(t & 63) && t + 64 <= end) { a = x.low0[t >> 6]; z = x.high0[t >> 6]; t += 64; }
    else { a = x.low[t]; z = x.high[t]; t++; }
    lowest = a < lowest ? a : lowest;
    highest = z > highest ? z : highest;
  }
}

// The ledger row of a position closed in `exit_bar` at the raw price `reference`; its pnl. Targets are limit fills: never slipped.
FN double book(const Params &p, const Prices &x, Trade &out, double side, const Order &placed, i64 entry_bar, i64 first, i64 exit_bar,
               double reference, i64 reason, i64 ambiguous) {
  const double entry = placed.price, units = placed.units;
  const double price = reason == TARGET ? reference : slipped(p, reference, -side);
  const double exit_fees = commission(p, units, price);
  const double pnl = ((side * units) * (price - entry) - placed.fees) - exit_fees;
  double lowest = infinity(), highest = -infinity();
  extremes(x, first, exit_bar, lowest, highest);
  lowest = price < lowest ? price : lowest;
  highest = price > highest ? price : highest;
  const double against = side > 0.0 ? lowest : highest, favourable = side > 0.0 ? highest : lowest;
  const double mae = side * (against - entry) / entry, mfe = side * (favourable - entry) / entry;
  out.entry_bar = entry_bar; out.exit_bar = exit_bar;
  out.entry_price = entry; out.exit_price = price;
  out.side = side > 0.0 ? LONG : SHORT;
  out.units = units;
  out.entry_fees = placed.fees; out.fees = placed.fees + exit_fees;
  out.pnl = pnl; out.pnl_pct = pnl / (units * entry);
  out.r_multiple = pnl / (units * placed.risk);
  out.mae = mae < 0.0 ? mae : 0.0;
  out.mfe = mfe > 0.0 ? mfe : 0.0;
  out.reason = reason; out.ambiguous = ambiguous;
  return pnl;
}

FN bool bit(const u64 *mask, i64 t) { return mask[t >> 6] >> (t & 63) & 1; }

FN i64 next_bit(const u64 *mask, i64 t, i64 end) {
  if (t >= end) return end;
  i64 at = t >> 6;
  const i64 last = (end - 1) >> 6;
  u64 word = mask[at] & (~0ull << (t & 63));
  while (!word) {
    if (++at > last) return end;
    word = mask[at];
  }
  return least((at << 6) + __ffsll((i64)word) - 1, end);
}

// An event is bar * 8 + phase: 0 decided exit at the open, 1 time exit at the open, 2 gap at the open, 3 stop or target inside, 4 signal at the
// close, 5 time at the close, 7 end of data. The smallest one is the exit.
FN i64 deadline(const Params &p, i64 entry_bar, i64 n) {
  const i64 bar = entry_bar + p.max_bars;
  if (!p.max_bars || bar >= n) return NEVER;
  return bar * 8 + (p.time_at == AT_OPEN ? 1 : 5);
}
FN i64 decided(i64 at, i64 bar, i64 n) {
  if (at == AT_CLOSE) return bar < n ? bar * 8 + 4 : NEVER;
  return bar + 1 < n ? (bar + 1) * 8 : NEVER;
}
FN i64 signal_event(const Params &p, const u64 *exits, const u64 *against, i64 first, i64 n) {
  i64 event = decided(p.exit_at, next_bit(exits, first, n), n);
  if (p.on_opposite != IGNORE) {
    const i64 opposite = next_bit(against, first, n - 1);
    if (opposite < n - 1) event = least(event, decided(p.on_opposite == CLOSE ? p.exit_at : p.entry_at, opposite, n));
  }
  return event;
}

// The first signal bar that may act after the exit `event` of a position on `side`.
FN i64 resume(const Params &p, const Masks &m, double side, i64 event, i64 n) {
  const i64 bar = event >> 3, phase = event & 7;
  const u64 *against = side > 0.0 ? m.short_entry : m.long_entry;
  if (p.cooldown > 0) return bar + p.cooldown;
  if (phase == 0 && p.on_opposite == REVERSE && p.entry_at == AT_OPEN && bit(against, bar - 1)) return bar - 1;
  if (phase == 4 && p.on_opposite == CLOSE && bar < n - 1 && bit(against, bar)) return bar + 1;
  return bar;
}

FN i64 reason_of(i64 phase) { return phase == 0 || phase == 4 ? SIGNAL : phase == 7 ? END_OF_DATA : TIME; }

// Close a position at the earlier of `event` and its first touch; `event` becomes the one that it was.
FN double leave(const Params &p, const Prices &x, Trade &out, double side, const Order &placed, i64 entry_bar, i64 first, i64 &event) {
  const i64 bar = event >> 3, phase = event & 7, limit = phase < 2 ? bar : bar + 1;
  const double down = side > 0.0 ? placed.stop : placed.target, up = side > 0.0 ? placed.target : placed.stop;
  i64 touched = limit;
  double extreme = placed.price;
  if (placed.moving) touched = first_moving_touch(p, x, placed, side, first, limit, extreme);
  else if (down > -infinity() || up < infinity()) touched = first_touch(x, first, limit, down, up);
  if (touched < limit) {
    const Touch hit = touch_at(p, x, placed, side, touched, extreme);
    event = touched * 8 + (hit.gap ? 2 : 3);
    return book(p, x, out, side, placed, entry_bar, first, touched, hit.price, hit.reason, hit.ambiguous);
  }
  return book(p, x, out, side, placed, entry_bar, first, bar, phase < 2 ? x.open[bar] : x.close[bar], reason_of(phase), 0);
}

// The same, with every bar visited.
FN double leave_dense(const Params &p, const Prices &x, Trade &out, double side, const Order &placed, i64 entry_bar, i64 first, i64 &event) {
  const i64 bar = event >> 3, phase = event & 7;
  double extreme = placed.price;
  for (i64 t = first; t < (phase < 2 ? bar : bar + 1); t++) {
    const Touch hit = touch_at(p, x, placed, side, t, extreme);
    if (hit.reason) {
      event = t * 8 + (hit.gap ? 2 : 3);
      return book(p, x, out, side, placed, entry_bar, first, t, hit.price, hit.reason, hit.ambiguous);
    }
    extreme = better(side, side > 0.0 ? x.high[t] : x.low[t], extreme);
  }
  return book(p, x, out, side, placed, entry_bar, first, bar, phase < 2 ? x.open[bar] : x.close[bar], reason_of(phase), 0);
}

FN i64 walk(const Prices &x, const Masks &m, const double *atr, const Params &p, Trade *ledger, i64 *skipped) {
  const i64 n = x.n;
  const bool at_open = p.entry_at == AT_OPEN;
  const Levels levels = levels_of(p);
  double equity = p.capital;
  i64 count = 0, at = 0, wants_long = next_bit(m.long_entry, 0, n), wants_short = next_bit(m.short_entry, 0, n);
  for (;;) {
    if (wants_long < at) wants_long = next_bit(m.long_entry, at, n);
    if (wants_short < at) wants_short = next_bit(m.short_entry, at, n);
    const i64 signal = least(wants_long, wants_short);
    if (signal >= n - 1) {
      if (signal < n) skipped[AT_END]++;
      return count;
    }
    const double side = wants_long < wants_short ? 1.0 : -1.0;
    const i64 entry_bar = at_open ? signal + 1 : signal, first = at_open ? entry_bar : entry_bar + 1;
    const Order placed = order_after(p, x, levels, true, side, signal, atr, equity);
    if (placed.skip >= 0) {
      skipped[placed.skip]++;
      at = signal + 1;
      continue;
    }
    const u64 *exits = side > 0.0 ? m.long_exit : m.short_exit, *against = side > 0.0 ? m.short_entry : m.long_entry;
    i64 event = least(signal_event(p, exits, against, first, n), least(deadline(p, entry_bar, n), (n - 1) * 8 + 7));
    equity += leave(p, x, ledger[count++], side, placed, entry_bar, first, event);
    at = resume(p, m, side, event, n);
  }
}

FN i64 dense(const Prices &x, const Masks &m, const double *atr, const Params &p, Trade *ledger, i64 *skipped) {
  const i64 n = x.n;
  const bool at_open = p.entry_at == AT_OPEN;
  const Levels levels = levels_of(p);
  Order placed = {NO_EQUITY, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, false, 0.0, 0.0, 0.0, 0.0};
  double equity = p.capital, side = 0.0, entering = 0.0, extreme = 0.0;
  i64 count = 0, entry_bar = 0, flat_until = 0;
  bool leaving = false;
  for (i64 t = 0; t < n; t++) {
    const bool last = t == n - 1, timed = p.max_bars > 0 && t == entry_bar + p.max_bars;
    const i64 exposed = at_open ? entry_bar : entry_bar + 1;
    if (side != 0.0 && (leaving || (timed && p.time_at == AT_OPEN))) {
      equity += book(p, x, ledger[count++], side, placed, entry_bar, exposed, t, x.open[t], leaving ? SIGNAL : TIME, 0);
      side = 0.0, flat_until = t + p.cooldown;
    }
    if (entering != 0.0) {
      placed = order_after(p, x, levels, true, entering, t - 1, atr, equity);
      if (placed.skip >= 0) skipped[placed.skip]++;
      else side = entering, entry_bar = t, extreme = placed.price;
    }
    leaving = false, entering = 0.0;
    const bool wants_long = bit(m.long_entry, t), wants_short = bit(m.short_entry, t);
    bool consumed = false;
    if (side != 0.0) {
      Touch hit = touch_at(p, x, placed, side, t, extreme);
      if (!hit.reason) {
        const bool opposite = (side > 0.0 ? wants_short : wants_long) && !last;
        const bool closes = opposite && p.on_opposite == CLOSE, reverses = opposite && p.on_opposite == REVERSE;
        const bool exits = bit(side > 0.0 ? m.long_exit : m.short_exit, t) || closes;
        hit.price = x.close[t];
        if ((exits && p.exit_at == AT_CLOSE) || (reverses && !at_open)) hit.reason = SIGNAL, consumed = closes;
        else if (p.max_bars > 0 && t == entry_bar + p.max_bars && p.time_at == AT_CLOSE) hit.reason = TIME;
        else if (last) hit.reason = END_OF_DATA;
        else {
          leaving = exits || reverses;
          entering = reverses && !p.cooldown ? -side : 0.0;
          extreme = better(side, side > 0.0 ? x.high[t] : x.low[t], extreme);
        }
      }
      if (hit.reason) {
        equity += book(p, x, ledger[count++], side, placed, entry_bar, at_open ? entry_bar : entry_bar + 1, t, hit.price, hit.reason, hit.ambiguous);
        side = 0.0, flat_until = t + p.cooldown;
      }
    }
    if (side == 0.0 && (wants_long || wants_short) && !consumed && t >= flat_until) {
      const double wanted = wants_long ? 1.0 : -1.0;
      if (last) skipped[AT_END]++;
      else if (at_open) entering = wanted;
      else {
        placed = order_after(p, x, levels, true, wanted, t, atr, equity);
        if (placed.skip >= 0) skipped[placed.skip]++;
        else side = wanted, entry_bar = t, extreme = placed.price;
      }
    }
  }
  return count;
}

// One row of a table of entries: -1 with its trade written, or why there is none.
FN i64 run_entry(const Prices &x, const Entry &entry, const double *atr, const Params &p, bool bar_by_bar, Trade &out) {
  const i64 n = x.n, signal = entry.bar;
  if (signal >= n - 1) return AT_END;
  const double side = entry.side == LONG ? 1.0 : -1.0;
  const bool at_open = p.entry_at == AT_OPEN;
  const i64 entry_bar = at_open ? signal + 1 : signal, first = at_open ? entry_bar : entry_bar + 1;
  const Levels levels = {entry.stop_kind, entry.stop_value, entry.target_kind, entry.target_value, entry.size};
  const Order placed = order_after(p, x, levels, false, side, signal, atr, p.capital);
  if (placed.skip >= 0) return placed.skip;
  i64 event = least(deadline(p, entry_bar, n), (n - 1) * 8 + 7);
  if (bar_by_bar) leave_dense(p, x, out, side, placed, entry_bar, first, event);
  else leave(p, x, out, side, placed, entry_bar, first, event);
  return -1;
}

// positions=overlapping: rows in the order of their signals. Trades meet only in max_open: open at a fill are those whose exit comes after it, and
// exits of that open (or close) come first. `exits` holds the exit events of the trades that may still be open.
FN i64 overlap(const Prices &x, const Masks &m, const double *atr, const Params &p, bool bar_by_bar, Trade *ledger, i64 *skipped, i64 *exits) {
  const i64 n = x.n;
  const bool at_open = p.entry_at == AT_OPEN;
  const Levels levels = levels_of(p);
  i64 count = 0, at = 0, held = 0;
  for (;;) {
    const i64 signal = least(next_bit(m.long_entry, at, n), next_bit(m.short_entry, at, n));
    if (signal >= n - 1) {
      if (signal < n) skipped[AT_END]++;
      return count;
    }
    at = signal + 1;
    const double side = bit(m.long_entry, signal) ? 1.0 : -1.0;
    const i64 entry_bar = at_open ? signal + 1 : signal, first = at_open ? entry_bar : entry_bar + 1, fill = entry_bar * 8 + (at_open ? 2 : 6);
    if (p.max_open > 0) {
      i64 kept = 0;
      for (i64 i = 0; i < held; i++)
        if (exits[i] > fill) exits[kept++] = exits[i];
      held = kept;
      if (held >= p.max_open) {
        skipped[MAX_OPEN]++;
        continue;
      }
    }
    const Order placed = order_after(p, x, levels, false, side, signal, atr, p.capital);
    if (placed.skip >= 0) {
      skipped[placed.skip]++;
      continue;
    }
    const u64 *own = side > 0.0 ? m.long_exit : m.short_exit, *against = side > 0.0 ? m.short_entry : m.long_entry;
    i64 event = least(signal_event(p, own, against, first, n), least(deadline(p, entry_bar, n), (n - 1) * 8 + 7));
    if (bar_by_bar) leave_dense(p, x, ledger[count++], side, placed, entry_bar, first, event);
    else leave(p, x, ledger[count++], side, placed, entry_bar, first, event);
    if (p.max_open > 0) exits[held++] = event;
  }
}

// Lowest and highest of each block of `size` values of two columns. One thread a block.
KERNEL block_extremes(const double *low, const double *high, i64 n, i64 size, double *bottom, double *top) {
  for (i64 b = THREAD; b * size < n; b += THREADS) {
    double a = low[b * size], z = high[b * size];
    for (i64 i = b * size + 1; i < least(n, (b + 1) * size); i++) {
      a = low[i] < a ? low[i] : a;
      z = high[i] > z ? high[i] : z;
    }
    bottom[b] = a;
    top[b] = z;
  }
}

// total += set bits of both masks. Integers, so the order of the additions does not matter.
KERNEL count_signals(const u64 *long_entry, const u64 *short_entry, i64 words, u64 *total) {
  u64 mine = 0;
  for (i64 w = THREAD; w < words; w += THREADS) mine += __popcll(long_entry[w]) + __popcll(short_entry[w]);
  if (mine) atomicAdd(total, mine);
}

// positions=single, one run, so one thread: its trades depend on each other. `has_atr` 0: no level needs it.
KERNEL simulate(const u64 *columns, i64 n, const u64 *long_entry, const u64 *long_exit, const u64 *short_entry, const u64 *short_exit,
                const double *atr, i64 has_atr, const Params *p, i64 bar_by_bar, Trade *ledger, i64 *skipped, i64 *count) {
  if (THREAD != 0) return;
  const Prices x = prices(columns, n);
  const Masks m = {long_entry, long_exit, short_entry, short_exit};
  const double *a = has_atr ? atr : 0;
  *count = bar_by_bar ? dense(x, m, a, *p, ledger, skipped) : walk(x, m, a, *p, ledger, skipped);
}

// positions=overlapping: one run, one thread.
KERNEL simulate_overlapping(const u64 *columns, i64 n, const u64 *long_entry, const u64 *long_exit, const u64 *short_entry,
                            const u64 *short_exit, const double *atr, i64 has_atr, const Params *p, i64 bar_by_bar, Trade *ledger,
                            i64 *skipped, i64 *count, i64 *exits) {
  if (THREAD != 0) return;
  const Masks m = {long_entry, long_exit, short_entry, short_exit};
  *count = overlap(prices(columns, n), m, has_atr ? atr : 0, *p, bar_by_bar, ledger, skipped, exits);
}

// positions=list: one thread an entry. Row i of `ledger` is entry i's trade where codes[i] is -1.
KERNEL simulate_list(const u64 *columns, i64 n, const Entry *entries, i64 rows, const double *atr, i64 has_atr, const Params *p,
                     i64 bar_by_bar, Trade *ledger, i64 *codes) {
  const Prices x = prices(columns, n);
  for (i64 i = THREAD; i < rows; i += THREADS) codes[i] = run_entry(x, entries[i], has_atr ? atr : 0, *p, bar_by_bar, ledger[i]);
}
