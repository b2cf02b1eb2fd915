// Exits shared by the sets of one signal: what ends a trade is searched once for each entry and each distinct level, by a thread each; then a thread
// a set plays the entries, and takes the earliest of its own exits. gpubt/backends/kernels/shared.py is the same in numba.
//
// A moment is one integer, bar * 16 + phase, with the phases of `step` in their order. It depends on the entry, not on the account, as long as a
// position is one market order without further ones, and is not liquidated. Where an account could be, its set is left to simulate_sets.

enum { OPEN_SIGNAL, OPEN_TIME, STOP_GAP, TARGET_GAP, STOP_INSIDE, TARGET_INSIDE, CLOSE_SIGNAL, CLOSE_TIME, CLOSE_SESSION, CLOSE_END };
enum { STOPS, TRAILS, TARGETS };
enum { REVERSED = 1, CONSUMED };  // an exit whose own signal enters the other side; whose own signal is used up
const i64 LEFT = -1;

// A distinct level; a target in R measures from the stop `of` of the same group.
struct Level { i64 family, kind; double value, activation; i64 of; };
// An entry signal: its side (+1, -1), the bar of its fill, the moment and kind of its exit by signal, session or end, the worst price until then.
struct Candidate { i64 signal, side, bar, base, how; double worst; };
// The first touch of a level: when, and where the level was.
struct Touch { i64 moment; double level; };
// Sets with the signals of one input, which enter as params[trade] says; `width` levels; its row of running counts; whether an account may go under.
struct Group { i64 input, trade, levels, width, row, liquidates; };
// A set: its group, how it trades, and the numbers of its levels among those of its group (-1: none).
struct Own { i64 group, trade, stop, trail, target; };

// What one launch's groups share. `before[row * (segments + 1) + s]` entries of a group are before segment s of its bars. A piece is the next
// `room` entries of each group, with `width` touches each.
struct Shared {
  const Prices *inputs;
  const Params *params;
  const Entry *entries;
  const Level *levels;
  const Group *groups;
  const Own *own;
  const i64 *ends, *before;
  Candidate *candidates;
  Touch *touches;
  Account *accounts;
  i64 *free;
  double *sums, *squares;
  Tally *out;
  i64 count, sets, segments, room, width, periods, blocks;
  double risk_free;
};
static_assert(sizeof(Account) == 43 * 8, "cuda_shared.py makes room for accounts");

FN u64 word_of(const u64 *mask, i64 w) { return mask ? mask[w] : 0; }

// Entry signals that nothing refuses, of bars 64 w to 64 w + 63 (`refusal` for all of them at once).
FN u64 entries_of(const Prices &x, const Params &p, i64 w) {
  u64 found = (word_of(x.long_entry, w) | word_of(x.short_entry, w)) & ~word_of(x.session, w);
  if (x.blackout) {
    const u64 later = w < x.n >> 6 ? x.blackout[w + 1] << 63 : 0;
    found &= ~(p.entry_at == AT_CLOSE ? x.blackout[w] : x.blackout[w] >> 1 | later);
  }
  const i64 left = x.n - 1 - w * 64;  // a signal on the last bar fills nothing
  return left >= 64 ? found : left > 0 ? found & ((1ull << left) - 1) : 0;
}

// The words of segment s, [first, last).
struct Words { i64 first, last; };
FN Words segment(const Prices &x, i64 segments, i64 s) {
  const i64 words = (x.n >> 6) + 1, each = (words + segments - 1) / segments;
  return {least(words, s * each), least(words, (s + 1) * each)};
}

// counts[g * (segments + 1) + s + 1]: the entries of group g in segment s.
KERNEL count_entries(const Prices *inputs, const Params *params, const Group *groups, i64 count, i64 segments, i64 *counts) {
  for (i64 i = THREAD; i < count * segments; i += THREADS) {
    const Group &g = groups[i / segments];
    const Prices &x = inputs[g.input];
    const Words w = segment(x, segments, i % segments);
    i64 found = 0;
    for (i64 at = w.first; at < w.last; at++) found += __popcll(entries_of(x, params[g.trade], at));
    counts[g.row * (segments + 1) + i % segments + 1] = found;
  }
}

// Counts to running counts, from 0 on; `totals`: of all segments.
KERNEL running_counts(i64 *counts, i64 rows, i64 segments, i64 *totals) {
  for (i64 row = THREAD; row < rows; row += THREADS) {
    i64 *own = counts + row * (segments + 1), sum = 0;
    own[0] = 0;
    for (i64 s = 1; s <= segments; s++) own[s] = sum += own[s];
    totals[row] = sum;
  }
}

FN const i64 *counts_of(const Shared &b, const Group &g) { return b.before + g.row * (b.segments + 1); }
// How many of the entries of a group are in a piece.
FN i64 in_piece(const Shared &b, const Group &g, i64 piece) {
  const i64 left = counts_of(b, g)[b.segments] - piece * b.room;
  return left < 0 ? 0 : least(left, b.room);
}

KERNEL find_candidates(const Shared *shared, i64 piece) {
  const Shared b = *shared;
  for (i64 i = THREAD; i < b.count * b.segments; i += THREADS) {
    const Group &g = b.groups[i / b.segments];
    const i64 *before = counts_of(b, g), s = i % b.segments, first = piece * b.room;
    i64 rank = before[s] - first;
    if (before[s] == before[s + 1] || rank >= b.room || before[s + 1] <= first) continue;
    const Prices &x = b.inputs[g.input];
    const Params &p = b.params[g.trade];
    const Words w = segment(x, b.segments, s);
    for (i64 at = w.first; at < w.last; at++) {
      for (u64 word = entries_of(x, p, at); word; word &= word - 1, rank++) {
        if (rank < 0 || rank >= b.room) continue;
        const i64 signal = at * 64 + __ffsll((i64)word) - 1;
        Candidate &c = b.candidates[i / b.segments * b.room + rank];
        c.signal = signal;
        c.side = bit(x.long_entry, signal) ? 1 : -1;
        c.bar = p.entry_at == AT_CLOSE ? signal : signal + 1;
      }
    }
  }
}

// The first bar from t on that wants the other side; where both are wanted it is the long one.
FN i64 opposite(const Prices &x, i64 side, i64 t) {
  if (side < 0) return next_bit(x.long_entry, t, x.n);
  for (;; t++) {
    t = next_bit(x.short_entry, t, x.n);
    if (t >= x.n || !bit(x.long_entry, t)) return t;
  }
}

// Moment and kind of the first exit by a signal, the session or the end of data, for a position that sees the close of bar t.
FN void first_exit(const Prices &x, const Params &p, Candidate &c, i64 t) {
  i64 found = (x.n - 1) * 16 + CLOSE_END;
  c.how = 0;
  const i64 session = next_bit(x.session, t, x.n), signal = next_bit(c.side > 0 ? x.long_exit : x.short_exit, t, x.n);
  if (session < x.n) found = least(found, session * 16 + CLOSE_SESSION);
  if (signal < x.n) found = least(found, p.exit_at == AT_CLOSE ? signal * 16 + CLOSE_SIGNAL : (signal + 1) * 16 + OPEN_SIGNAL);
  const i64 other = p.on_opposite != IGNORE ? opposite(x, c.side, t) : x.n;
  if (other < x.n - 1) {
    const i64 at = p.on_opposite == CLOSE ? p.exit_at : p.entry_at;
    const i64 moment = at == AT_CLOSE ? other * 16 + CLOSE_SIGNAL : (other + 1) * 16 + OPEN_SIGNAL;
    if (moment <= found) {
      found = moment;
      if (p.on_opposite == CLOSE) c.how = at == AT_CLOSE ? CONSUMED : 0;
      else c.how = at == AT_OPEN && !p.cooldown ? REVERSED : 0;
    }
  }
  c.base = found;
}

KERNEL search_exits(const Shared *shared, i64 piece) {
  const Shared b = *shared;
  for (i64 i = THREAD; i < b.count * b.room; i += THREADS) {
    const Group &g = b.groups[i / b.room];
    if (i % b.room >= in_piece(b, g, piece)) continue;
    const Prices &x = b.inputs[g.input];
    const Params &p = b.params[g.trade];
    Candidate &c = b.candidates[i];
    first_exit(x, p, c, p.entry_at == AT_OPEN ? c.bar : c.bar + 1);
    if (!g.liquidates) continue;
    const Range seen = extremes(x, c.bar, least(x.n, (c.base >> 4) + 1));
    c.worst = c.side > 0 ? seen.low : seen.high;
  }
}

// How far a trailing stop is from the best price, a share of it or a distance; and where it then is.
FN double trail_of(const Level &v, double atr) { return v.kind == ATR ? v.value * atr : v.value; }
FN double trailing(const Level &v, double trail, double side, double extreme) {
  return v.kind == PCT ? extreme * (1.0 - side * trail) : extreme - side * trail;
}

// The first touch of a trailing stop in bars [t, end). A block is skipped when its range stays clear of the stop that its own best price would raise.
DEVICE Touch first_trailing_touch(const Prices &x, const Level &v, i64 direction, double price, double atr, i64 t, i64 end) {
  const double side = direction, trail = trail_of(v, atr), from = level(v.kind, v.activation, price, side, atr, 0.0, not_a_number());
  const bool up = direction > 0;
  double extreme = price;
  while (t < end && trail == trail) {
    double top = extreme;
    i64 size = 4096;
    for (; size > 1; size >>= 3) {
      if ((t & (size - 1)) || t + size > end) continue;
      const Range r = block_range(x, t, size);
      const double best = up ? r.high : r.low;
      top = side * (best - extreme) > 0.0 ? best : extreme;
      if (!(side * (top - from) >= 0.0) || side * ((up ? r.low : r.high) - trailing(v, trail, side, top)) > 0.0) break;
    }
    if (size > 1) {
      extreme = top;
      t += size;
      continue;
    }
    for (const i64 stop = least(end, (t | 7) + 1); t < stop; t++) {
      const double at = trailing(v, trail, side, extreme), best = up ? x.high[t] : x.low[t];
      if (side * (extreme - from) >= 0.0 && side * ((up ? x.low[t] : x.high[t]) - at) <= 0.0)
        return {t * 16 + (side * (x.open[t] - at) <= 0.0 ? STOP_GAP : STOP_INSIDE), at};
      extreme = side * (best - extreme) > 0.0 ? best : extreme;
    }
  }
  return {NEVER, trail};
}

FN double entry_price(const Prices &x, const Params &p, const Candidate &c) {
  return slipped(x, p, p.entry_at == AT_CLOSE ? x.close[c.bar] : x.open[c.bar], c.side, c.bar);
}

// Where a stop or a target of this entry is; `levels` are those of its group.
FN double stop_at(const Prices &x, const Candidate &c, const Level &v, double anchor, double atr) {
  return level(v.kind, v.value, anchor, -c.side, atr, 0.0, optional(c.side > 0 ? x.long_stop : x.short_stop, c.signal));
}
FN double target_at(const Prices &x, const Candidate &c, const Level *levels, const Level &v, double anchor, double atr) {
  const double risk = v.kind == R_MULTIPLE ? (double)c.side * (anchor - stop_at(x, c, levels[v.of], anchor, atr)) : 0.0;
  return level(v.kind, v.value, anchor, c.side, atr, risk, optional(c.side > 0 ? x.long_target : x.short_target, c.signal));
}

// The first touch of a level before the exit by signal. At an open a target is reached only if no stop is: `earliest` sees to it.
DEVICE Touch first_touch_of(const Prices &x, const Params &p, const Candidate &c, const Level *levels, const Level &v) {
  const i64 t = p.entry_at == AT_OPEN && !p.exposed_later ? c.bar : c.bar + 1;
  const i64 end = (c.base >> 4) + ((c.base & 15) >= CLOSE_SIGNAL ? 1 : 0);
  const double price = entry_price(x, p, c), atr = optional(x.atr, c.signal), side = c.side;
  if (v.family == TRAILS) return first_trailing_touch(x, v, c.side, price, atr, t, end);
  const double anchor = p.anchor == ANCHOR_FILL ? price : x.close[c.signal];
  const double at = v.family == STOPS ? stop_at(x, c, v, anchor, atr) : target_at(x, c, levels, v, anchor, atr);
  if (at != at) return {NEVER, at};
  const bool below = (v.family == STOPS) == (c.side > 0);  // whether the price falls to it
  Range seen = {infinity(), -infinity()};
  const i64 found = first_touch(x, seen, t, end, below ? at : -infinity(), below ? infinity() : at);
  if (found >= end) return {NEVER, at};
  const double beyond = side * (x.open[found] - at);
  if (v.family == STOPS) return {found * 16 + (beyond <= 0.0 ? STOP_GAP : STOP_INSIDE), at};
  return {found * 16 + (beyond >= 0.0 ? TARGET_GAP : TARGET_INSIDE), at};
}

KERNEL search_touches(const Shared *shared, i64 piece) {
  const Shared b = *shared;
  for (i64 i = THREAD; i < b.count * b.room * b.width; i += THREADS) {
    const i64 at = i / b.width, own = i % b.width;
    const Group &g = b.groups[at / b.room];
    if (own >= g.width || at % b.room >= in_piece(b, g, piece)) continue;
    const Level *levels = b.levels + g.levels;
    b.touches[i] = first_touch_of(b.inputs[g.input], b.params[g.trade], b.candidates[at], levels, levels[own]);
  }
}

// Moment, raw price and reason of a set's exit, and whether the order within its bar mattered.
struct Exit { i64 moment; double price; i64 reason, ambiguous; };
DEVICE Exit earliest(const Prices &x, const Params &p, const Candidate &c, double target, const Own &own, const Touch *touches) {
  const double side = c.side;
  i64 moment = c.base;
  if (p.max_bars > 0) moment = least(moment, (c.bar + p.max_bars) * 16 + (p.time_at == AT_OPEN ? OPEN_TIME : CLOSE_TIME));
  Touch stop = {NEVER, 0.0};
  i64 why = STOP, reached = own.target >= 0 ? touches[own.target].moment : NEVER, ambiguous = 0;
  if (own.stop >= 0) stop = touches[own.stop];
  if (own.trail >= 0) {
    const Touch trail = touches[own.trail];
    const bool nearer = trail.moment == stop.moment && trail.moment != NEVER && side * (trail.level - stop.level) > 0.0;
    if (trail.moment < stop.moment || nearer) stop = trail, why = TRAILING;
  }
  const bool both = stop.moment != NEVER && stop.moment >> 4 == reached >> 4;
  if (both && (stop.moment & 15) == STOP_INSIDE && (reached & 15) == TARGET_INSIDE && stop.moment < moment) {
    const i64 t = stop.moment >> 4;
    ambiguous = 1;
    if (look(p.same_bar, MARKET, c.side, {x.open[t], x.high[t], x.low[t], x.close[t]}, stop.level).stop_first) reached = NEVER;
    else stop.moment = NEVER;
  }
  if (stop.moment < reached && stop.moment < moment) {
    const bool gapped = (stop.moment & 15) == STOP_GAP && !p.gap_at_level;
    return {stop.moment, gapped ? x.open[stop.moment >> 4] : stop.level, why, ambiguous};
  }
  if (reached <= stop.moment && reached < moment) {
    const bool gapped = (reached & 15) == TARGET_GAP && !p.gap_at_level;
    return {reached, gapped ? x.open[reached >> 4] : target, TARGET, ambiguous};
  }
  const i64 phase = moment & 15;
  const i64 reason = phase == OPEN_TIME || phase == CLOSE_TIME ? TIME : phase == CLOSE_SESSION ? SESSION : phase == CLOSE_END ? END_OF_DATA : SIGNAL;
  return {moment, phase < STOP_GAP ? x.open[moment >> 4] : x.close[moment >> 4], reason, 0};
}

// The first bar whose signal may be taken after an exit.
FN i64 next_free(const Params &p, const Candidate &c, const Exit &e) {
  const i64 t = e.moment >> 4, phase = e.moment & 15;
  if (e.reason == SIGNAL && e.moment == c.base) {
    if (c.how == REVERSED && phase == OPEN_SIGNAL) return t - 1;
    if (c.how == CONSUMED && phase == CLOSE_SIGNAL) return t + (p.cooldown > 1 ? p.cooldown : 1);
  }
  return t + (e.reason != SIGNAL && !p.reentry && !p.cooldown ? 1 : p.cooldown);
}

// The first candidate from i on whose signal is at `free` or later.
FN i64 jump(const Candidate *c, i64 i, i64 count, i64 free) {
  i64 step = 1;
  for (; i + step < count && c[i + step].signal < free; step <<= 1) i += step;
  for (; step > 0; step >>= 1)
    if (i + step < count && c[i + step].signal < free) i += step;
  return i >= count || c[i].signal >= free ? i : i + 1;
}

// Whether the price gets where this position would be liquidated before its exit by signal; its own stop may come first.
FN bool may_be_liquidated(const Params &p, const Candidate &c, const State &s) {
  const double side = c.side;
  return p.liquidate && side * (s.liquidation - s.stop) > 0.0 && side * (c.worst - s.liquidation) <= 0.0;
}

// The candidates of a piece for one set; the first bar whose signal it may take then, or LEFT.
FN i64 play(const Shared &b, const Own &own, const Candidate *c, const Touch *touches, i64 count, i64 free, Account &a,
            const Marks &m, Tally &out) {
  const Params &p = b.params[own.trade];
  State s;
  Trade row;
  i64 skipped[SKIPS] = {};
  begin_account(s, p, nullptr, 0, &row, skipped);
  for (i64 i = jump(c, 0, count, free); i < count;) {
    const bool closing = p.entry_at == AT_CLOSE;
    s.equity = a.equity;
    s.side = s.row = s.positions = 0;
    fill(m.x, p, b.entries[own.trade], s, c[i].bar, c[i].signal, c[i].side, closing ? m.x.close[c[i].bar] : m.x.open[c[i].bar], MARKET, 0);
    if (!s.side) {
      i++;
      continue;
    }
    if (may_be_liquidated(p, c[i], s)) return LEFT;
    const Exit e = earliest(m.x, p, c[i], s.target, own, touches + i * b.width);
    s.ambiguous = e.ambiguous;
    close(m.x, p, s, e.moment >> 4, e.price, e.reason, (e.moment & 15) < STOP_INSIDE);
    add_position(a, m, &row, 1, p, out);
    free = next_free(p, c[i], e);
    i = jump(c, i, count, free);
  }
  return free;
}

// The sets of the groups take the entries of a piece; after the last one their accounts end.
KERNEL play_candidates(const Shared *shared, i64 piece, i64 last) {
  const Shared b = *shared;
  for (i64 i = THREAD; i < b.sets; i += THREADS) {
    const Own own = b.own[i];
    const Group &g = b.groups[own.group];
    const Prices &x = b.inputs[g.input];
    const Marks m = {x, b.ends, b.periods, b.risk_free, true, nullptr, b.blocks, b.sums + i * b.blocks, b.squares + i * b.blocks};
    Tally out = {};
    if (piece) out = b.out[i];
    Account a = piece ? b.accounts[i] : begin(b.params[own.trade].capital, out);
    i64 free = piece ? b.free[i] : 0;
    const i64 first = own.group * b.room;
    if (free != LEFT) free = play(b, own, b.candidates + first, b.touches + first * b.width, in_piece(b, g, piece), free, a, m, out);
    if (last && free != LEFT) end_account(a, m, out);
    b.accounts[i] = a;
    b.free[i] = free;
    b.out[i] = out;
  }
}
