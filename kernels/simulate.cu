// The simulation. `step` plays one bar in the order of the contract; in event mode `next_bar` names the next bar on which anything can happen, and
// the bars between are skipped. gpubt/backends/kernels/simulate.py is the same in numba, gpubt/simulate/reference.py the specification.

// An account of the starting capital without a position.
FN void begin_account(State &s, const Params &p, const Rung *rungs, i64 alone, Trade *ledger, i64 *skipped) {
  s.ledger = ledger;
  s.skipped = skipped;
  s.rungs = rungs;
  s.equity = p.capital;
  s.alone = alone;
  s.side = s.order_side = s.entering = s.leaving = s.flat_until = s.row = s.positions = s.adds = 0;
  s.next_long_entry = s.next_long_exit = s.next_short_entry = s.next_short_exit = s.next_session = -1;
}

// An open at or beyond a level; of two levels the stop.
DEVICE void gap(const Prices &x, const Params &p, State &s, i64 t) {
  if (!s.side || s.first > t) return;
  const double price = x.open[t], side = s.side;
  const Stop stop = effective_stop(p, s, s.extreme);
  if (side * (price - stop.price) <= 0.0) close(x, p, s, t, p.gap_at_level ? stop.price : price, stop.reason, true);
  else if (side * (price - s.target) >= 0.0) fill_targets(x, p, s, t, price, p.gap_at_level, price, true);
}

// What was decided on the bar before, time, gaps.
FN void exits_at_open(const Prices &x, const Params &p, State &s, i64 t) {
  if (s.side) {
    if (s.leaving) close(x, p, s, t, x.open[t], SIGNAL, true);
    else if (p.time_at == AT_OPEN && p.max_bars > 0 && t == s.entry_bar + p.max_bars) close(x, p, s, t, x.open[t], TIME, true);
    else gap(x, p, s, t);
  }
  s.leaving = 0;
}

// Whether a limit order (or a stop-limit order that is armed) fills at `price` or better.
FN bool falls_to(const Params &p, const State &s, double price) {
  if (p.order == LIMIT) return (double)s.order_side * (price - s.order_level) <= 0.0;
  return s.armed && (double)s.order_side * (price - s.order_limit) <= 0.0;
}

// A market order, or a resting one that the open is beyond; then a gap through the new position's own levels.
FN void entries_at_open(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t) {
  const i64 entering = s.entering;
  const double price = x.open[t];
  s.entering = 0;
  if (entering && !(s.adds && !s.side)) {
    fill(x, p, entry, s, t, s.entering_signal, entering, price, MARKET, 0);
    gap(x, p, s, t);
  } else if (s.order_side && s.order_signal < t && !s.side) {
    const i64 side = s.order_side;
    const bool beyond = (double)side * (price - s.order_level) >= 0.0;
    if (p.order == STOP_LIMIT && beyond) s.armed = 1;
    if (p.order == STOP_ORDER ? beyond : falls_to(p, s, price)) {
      s.order_side = 0;
      fill(x, p, entry, s, t, s.order_signal, side, price, p.order, 0);
      gap(x, p, s, t);
    }
  }
}

// Stop and targets within the range of bar t; `entered` and `price` are those of a fill inside this bar.
DEVICE void exits_inside(const Prices &x, const Params &p, State &s, i64 t, i64 entered, double price) {
  const Bar b = {x.open[t], x.high[t], x.low[t], x.close[t]};
  const double extreme = p.trail_same_bar && entered == MARKET ? better(s, s.side > 0 ? b.high : b.low) : s.extreme;
  const Stop stop = trailed_stop(p, s, s.extreme, extreme);
  Look found = look(p.same_bar, entered, s.side, b, stop.price);
  if (disagree(p, s, entered, b, stop.price)) {
    const Look finer = in_detail(x, p, s, t, entered, price, stop.price);
    if (finer.known) found = finer;
    else s.ambiguous = 1;
  }
  if (found.stop_first && found.stop_hit) return close(x, p, s, t, stop.price, stop.reason, false);
  if ((double)s.side * (found.reach - s.target) >= 0.0) fill_targets(x, p, s, t, found.reach, true, 0.0, false);
  if (found.stop_hit && s.side) close(x, p, s, t, stop.price, stop.reason, false);
}

// The price within bar t at which the resting order fills, and whether as a rising (STOP_ORDER) or falling (LIMIT) price, for a buy; MARKET: not.
struct Fill { double price; i64 entered; };
FN Fill fill_inside(const Prices &x, const Params &p, State &s, i64 t) {
  const double side = s.order_side, limit = p.order == LIMIT ? s.order_level : s.order_limit;
  const double against = s.order_side > 0 ? x.low[t] : x.high[t], favourable = s.order_side > 0 ? x.high[t] : x.low[t];
  if (p.order != STOP_ORDER && falls_to(p, s, against)) return {limit, LIMIT};
  if (p.order == LIMIT || s.armed || side * (favourable - s.order_level) < 0.0) return {0.0, MARKET};
  if (p.order == STOP_ORDER) return {s.order_level, STOP_ORDER};
  s.armed = 1;
  if (side * (limit - s.order_level) >= 0.0) return {s.order_level, STOP_ORDER};
  return {limit, side * (x.close[t] - limit) <= 0.0 ? LIMIT : MARKET};
}

// Levels within the bar's range; or the fill of a resting order, and what can follow it on that bar.
FN void inside(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t) {
  if (s.side) {
    if (s.first <= t) exits_inside(x, p, s, t, MARKET, 0.0);
  } else if (s.order_side && s.order_signal < t) {
    const i64 side = s.order_side;
    const Fill found = fill_inside(x, p, s, t);
    if (found.entered == MARKET) return;
    s.order_side = 0;
    fill(x, p, entry, s, t, s.order_signal, side, found.price, p.order, 1);
    if (s.side && !p.exposed_later) exits_inside(x, p, s, t, found.entered, found.price);
  }
}

// The side that wants in at the close of bar t, or 0.
FN i64 wants(const Prices &x, i64 t) { return bit(x.long_entry, t) ? 1 : bit(x.short_entry, t) ? -1 : 0; }

// Why no entry may follow a signal at the close of bar t, or -1.
FN i64 refusal(const Prices &x, const Params &p, i64 t) {
  if (t == x.n - 1) return AT_END;
  if (bit(x.session, t)) return AT_SESSION_END;
  return bit(x.blackout, p.order == MARKET && p.entry_at == AT_CLOSE ? t : t + 1) ? BLACKOUT : -1;
}

// A resting order from the signal at t; it is live from the next row on.
DEVICE void place(const Prices &x, const Params &p, State &s, i64 t, i64 side) {
  const double atr = optional(x.atr, t);
  const bool up = side > 0;
  const double price = level(p.order_kind, p.order_value, x.close[t], p.order == LIMIT ? -side : side, atr, 0.0,
                             optional(up ? x.long_order : x.short_order, t));
  double limit = price;
  if (p.order == STOP_LIMIT)
    limit = level(p.limit_kind, p.limit_value, price, side, atr, 0.0, optional(up ? x.long_limit : x.short_limit, t));
  if (price != price || limit != limit) return skip(s, NAN_LEVEL);
  s.order_side = side; s.order_signal = t; s.armed = 0;
  s.order_level = price; s.order_limit = limit;
  s.order_last = p.valid_bars > 0 ? t + p.valid_bars : NEVER;
}

// An entry signal at the close of bar t that may act.
DEVICE void want(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t, i64 side, i64 adds) {
  const i64 code = refusal(x, p, t);
  if (code >= 0) skip(s, code);
  else if (p.order != MARKET) place(x, p, s, t, side);
  else if (p.entry_at == AT_CLOSE) fill(x, p, entry, s, t, t, side, x.close[t], MARKET, 0);
  else s.entering = side, s.entering_signal = t, s.adds = adds;
}

// What ends a resting order at the close of bar t.
FN void tend(const Prices &x, State &s, i64 t) {
  const i64 side = s.order_side;
  i64 wanted = wants(x, t), code = -1;
  if (s.alone && wanted == side) wanted = 0;
  if (t >= s.order_last) code = EXPIRED;
  else if (bit(x.session, t) || bit(side > 0 ? x.long_exit : x.short_exit, t) || wanted == -side) code = CANCELLED;
  else if (wanted) code = REPLACED;
  else if (t == x.n - 1) code = AT_END;
  if (code < 0) return;
  s.order_side = 0;
  skip(s, code);
}

// Signals, time, session and the end of data; then what became of a resting order; then new entries.
FN void at_close(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t) {
  const i64 wanted = wants(x, t);
  bool consumed = false;
  if (s.side) {
    const i64 side = s.side;
    const double c = x.close[t];
    const bool opposite = wanted == -side && t < x.n - 1, closes = opposite && p.on_opposite == CLOSE;
    const bool exits = bit(side > 0 ? x.long_exit : x.short_exit, t) || closes, reverses = opposite && p.on_opposite == REVERSE;
    if ((exits && p.exit_at == AT_CLOSE) || (reverses && (p.order == MARKET ? p.entry_at : p.exit_at) == AT_CLOSE)) {
      consumed = closes;
      close(x, p, s, t, c, SIGNAL, false);
    } else if (p.time_at == AT_CLOSE && p.max_bars > 0 && t == s.entry_bar + p.max_bars) close(x, p, s, t, c, TIME, false);
    else if (bit(x.session, t)) close(x, p, s, t, c, SESSION, false);
    else if (t == x.n - 1) close(x, p, s, t, c, END_OF_DATA, false);
    else {
      if (s.first <= t) {
        s.extreme = better(s, side > 0 ? x.high[t] : x.low[t]);
        take(s.seen, {x.low[t], x.high[t]});
      } else if (s.inside) take(s.seen, {c, c});
      s.leaving = exits || reverses;
      if (reverses && !p.cooldown && !s.alone) want(x, p, entry, s, t, -side, 0);
      else if (!s.leaving && wanted == side && !s.alone && s.legs < p.pyramiding) want(x, p, entry, s, t, side, 1);
      return;
    }
  }
  if (s.order_side && s.order_signal < t) tend(x, s, t);
  if (!s.alone && wanted && !consumed && t >= s.flat_until) want(x, p, entry, s, t, wanted, 0);
}

DEVICE void step(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t) {
  exits_at_open(x, p, s, t);
  entries_at_open(x, p, entry, s, t);
  inside(x, p, entry, s, t);
  at_close(x, p, entry, s, t);
}

// Keep the next set bit at or after t of each mask, so that a mask is read through once however many trades there are.
FN void refresh(const Prices &x, State &s, i64 t) {
  if (s.next_long_entry < t) s.next_long_entry = next_bit(x.long_entry, t, x.n);
  if (s.next_short_entry < t) s.next_short_entry = next_bit(x.short_entry, t, x.n);
  if (s.next_long_exit < t) s.next_long_exit = next_bit(x.long_exit, t, x.n);
  if (s.next_short_exit < t) s.next_short_exit = next_bit(x.short_exit, t, x.n);
  if (s.next_session < t) s.next_session = next_bit(x.session, t, x.n);
}

// Whether the block of `size` bars at t touches neither the target nor the stop, wherever in it the best price is.
FN bool clear(const Params &p, const State &s, const Range &r) {
  const double side = s.side, best = s.side > 0 ? r.high : r.low;
  return side * ((s.side > 0 ? r.low : r.high) - effective_stop(p, s, better(s, best)).price) > 0.0 && side * (best - s.target) < 0.0;
}

// first_touch with a stop that follows the best price of the bars before. A block is skipped when its range stays clear even of the stop that its
// own best price would raise.
DEVICE i64 first_moving_touch(const Prices &x, const Params &p, State &s, i64 t, i64 end) {
  const double side = s.side;
  const bool up = s.side > 0;
  while (t < end) {
    i64 size = 4096;
    while (size > 1 && !(!(t & (size - 1)) && t + size <= end && clear(p, s, block_range(x, t, size)))) size >>= 3;
    if (size > 1) {
      const Range r = block_range(x, t, size);
      take(s.seen, r);
      s.extreme = better(s, up ? r.high : r.low);
      t += size;
      continue;
    }
    for (const i64 stop = least(end, (t | 7) + 1); t < stop; t++) {
      const Range r = {x.low[t], x.high[t]};
      const double best = up ? r.high : r.low, extreme = better(s, best);
      const double price = trailed_stop(p, s, s.extreme, p.trail_same_bar ? extreme : s.extreme).price;
      if (side * ((up ? r.low : r.high) - price) <= 0.0 || side * (best - s.target) >= 0.0) return t;
      take(s.seen, r);
      s.extreme = extreme;
    }
  }
  return end;
}

// With a position: a signal, the time or session exit, the last bar, or the first touch of a level before them.
DEVICE i64 next_in_position(const Prices &x, const Params &p, State &s, i64 t) {
  refresh(x, s, t);
  const bool up = s.side > 0;
  i64 end = least(least(x.n - 1, s.next_session), up ? s.next_long_exit : s.next_short_exit);
  if (p.on_opposite != IGNORE) end = least(end, up ? s.next_short_entry : s.next_long_entry);
  if (!s.alone && s.legs < p.pyramiding) end = least(end, up ? s.next_long_entry : s.next_short_entry);
  if (p.max_bars > 0) end = least(end, s.entry_bar + p.max_bars > t ? s.entry_bar + p.max_bars : t);
  if (p.trail_kind != NONE || p.even_kind != NONE) return first_moving_touch(x, p, s, t, end);
  const double stop = effective_stop(p, s, s.extreme).price;
  const double down = up ? stop : s.target;
  return first_touch(x, s.seen, t, end, down > 0.0 ? down : -infinity(), up ? s.target : stop);
}

// With a resting order: what may end it, or the first touch of its level before that.
DEVICE i64 next_for_order(const Prices &x, const Params &p, State &s, i64 t) {
  refresh(x, s, t);
  const bool up = s.order_side > 0;
  i64 end = least(least(x.n - 1, s.next_session), s.order_last);
  end = least(end, up ? s.next_long_exit : s.next_short_exit);
  end = least(end, up ? s.next_short_entry : s.next_long_entry);
  if (!s.alone) end = least(end, up ? s.next_long_entry : s.next_short_entry);
  const bool falls = p.order == LIMIT || s.armed;
  const double reach = s.armed ? s.order_limit : s.order_level;
  return falls == up ? first_touch(x, s.seen, t, end, reach, infinity()) : first_touch(x, s.seen, t, end, -infinity(), reach);
}

// The first bar at or after t on which anything can happen, or n; the position's extreme is carried over the bars before it.
DEVICE i64 next_bar(const Prices &x, const Params &p, State &s, i64 t) {
  if (t >= x.n || s.leaving || s.entering) return t;
  if (s.side) return next_in_position(x, p, s, t);
  if (s.order_side) return next_for_order(x, p, s, t);
  if (s.alone) return x.n;
  const i64 start = s.flat_until > t ? s.flat_until : t;
  if (s.next_long_entry < start) s.next_long_entry = next_bit(x.long_entry, start, x.n);
  if (s.next_short_entry < start) s.next_short_entry = next_bit(x.short_entry, start, x.n);
  return least(s.next_long_entry, s.next_short_entry);
}

// One entry alone, from its signal to its last exit; its rows start at `s.row`.
FN void ride(const Prices &x, const Params &p, const Entry &entry, State &s, bool bar_by_bar, i64 signal, i64 side) {
  want(x, p, entry, s, signal, side, 0);
  for (i64 t = signal + 1; t < x.n && (s.side || s.order_side || s.entering); t++) {
    if (!bar_by_bar) t = next_bar(x, p, s, t);
    step(x, p, entry, s, t);
  }
}

// Lowest `low` and highest `high` of blocks of `size` of the n values.
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

// positions=single, one run, so one thread: its trades depend on each other.
KERNEL simulate(const u64 *table, i64 n, const Params *p, const Rung *rungs, const Entry *entry, i64 bar_by_bar, Trade *ledger, i64 *skipped,
                i64 *count) {
  if (THREAD != 0) return;
  const Prices x = prices(table, n);
  State s;
  begin_account(s, *p, rungs, 0, ledger, skipped);
  for (i64 t = bar_by_bar ? 0 : next_bar(x, *p, s, 0); t < n; t = bar_by_bar ? t + 1 : next_bar(x, *p, s, t + 1)) step(x, *p, *entry, s, t);
  *count = s.row;
}

// positions=overlapping, one thread. Trades meet only in max_open: open at a fill are those that leave after it, and exits of that open (or close)
// come first. `left` (max_open values) holds when those that may still be open leave; `base` keeps the next signals at the start of a trade.
KERNEL simulate_overlapping(const u64 *table, i64 n, const Params *params, const Rung *rungs, const Entry *entry, i64 bar_by_bar, Trade *ledger,
                            i64 *skipped, i64 *count, i64 *left) {
  if (THREAD != 0) return;
  const Prices x = prices(table, n);
  const Params &p = *params;
  State s, base;
  begin_account(s, p, rungs, 1, ledger, skipped);
  begin_account(base, p, rungs, 1, ledger, skipped);
  for (i64 at = 0, held = 0;;) {
    refresh(x, base, at);
    const i64 signal = least(base.next_long_entry, base.next_short_entry);
    if (signal >= n) break;
    at = signal + 1;
    if (p.max_open > 0 && refusal(x, p, signal) < 0) {
      const i64 fill = p.entry_at == AT_OPEN ? 2 * at : 2 * signal + 1;
      i64 kept = 0;
      for (i64 i = 0; i < held; i++) if (left[i] > fill) left[kept++] = left[i];
      held = kept;
      if (held >= p.max_open) {
        skip(s, MAX_OPEN);
        continue;
      }
    }
    const i64 side = base.next_long_entry == signal ? 1 : -1, row = s.row;
    refresh(x, base, at);
    s.next_long_entry = base.next_long_entry; s.next_long_exit = base.next_long_exit; s.next_session = base.next_session;
    s.next_short_entry = base.next_short_entry; s.next_short_exit = base.next_short_exit;
    s.equity = p.capital;
    ride(x, p, *entry, s, bar_by_bar, signal, side);
    if (p.max_open > 0 && s.row > row) left[held++] = s.left_at;
  }
  *count = s.row;
}

// positions=list: one thread an entry, whose rows are the first rows[i] of `width` from i * width, its position i. codes[i]: why it was skipped, or -1; at most one
// thing ends an entry without a position.
KERNEL simulate_list(const u64 *table, i64 n, const Entry *entries, i64 count, const Params *p, const Rung *rungs, i64 bar_by_bar, Trade *ledger,
                     i64 width, i64 *rows, i64 *codes) {
  const Prices x = prices(table, n);
  for (i64 i = THREAD; i < count; i += THREADS) {
    State s;
    i64 skipped[SKIPS] = {};
    begin_account(s, *p, rungs, 1, ledger + i * width, skipped);
    s.positions = i;
    ride(x, *p, entries[i], s, bar_by_bar, entries[i].bar, entries[i].side == LONG ? 1 : -1);
    rows[i] = s.row;
    codes[i] = -1;
    for (i64 code = 0; code < SKIPS; code++) if (skipped[code]) codes[i] = code;
  }
}
