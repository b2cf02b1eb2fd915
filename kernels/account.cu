// The account: marks, drawdown, return sums, hash, from the rows of a ledger, one position after the other. gpubt/metrics/reference.py is its
// specification.
//
// Between fills equity is base + q * (close - ref), monotone in the close, and rounding keeps order: a stretch of bars is decided by its lowest
// and highest close. Bars are read one by one only where both a new peak and a new worst drawdown are possible, or where the bar itself is
// wanted. With carry, slope * (t - since) - late is taken off; then a stretch is passed over if its best close at its best bar is no new peak
// and its worst close at its worst bar no new worst, else its bars are read.

const int LANES = 8;

struct Line { double base, q, ref, slope, late; i64 since; };  // how equity depends on close and bar between two fills
FN double mark(const Line &l, double close) { return l.base + l.q * (close - l.ref); }
FN double accrued(const Line &l, i64 t) { return l.slope * (double)(t - l.since) - l.late; }
FN double equity_at(const Line &l, const double *close, i64 t) {
  const double equity = mark(l, close[t]);
  return l.slope != 0.0 ? equity - accrued(l, t) : equity;
}
FN Line flat(double base) { const Line l = {base, 0.0, 0.0, 0.0, 0.0, 0}; return l; }

struct Account {
  double equity, peak, deepest, floor, before;  // equity: realised; floor: a mark at or above it can't be a new worst
  Line peak_line;              // with peak_from..peak_to, where the peak was reached: its bar is looked up only when needed
  i64 peak_from, peak_to, start, end, period, block, at;
  u64 hash;
  double sums[3][LANES];
};

// What all of one account's marks read, and where they go: the equity at the end of each period, or (null: not wanted) the sums of returns and of
// their squares in equal blocks of periods.
struct Marks {
  const Prices &x;
  const i64 *ends;
  i64 periods;
  double risk_free;
  bool skip;
  double *equity;
  i64 blocks;
  double *block_sums, *block_squares;
};

// Below this equity the exact test 1 - equity / peak > deepest is made. The margin is several times its rounding error, also where more than
// everything was lost, so that no division is needed above.
FN double clear_of_rounding(double peak, double deepest) { return peak * ((1.0 - deepest) + 4e-15 * (1.0 + deepest)); }

FN Account begin(double capital, Tally &out) {
  out.best = out.worst = not_a_number();
  Account s = {capital, capital, 0.0, clear_of_rounding(capital, 0.0), capital, flat(capital), 0, 1, 0, -1, 0, 0, 0, 0x9E3779B97F4A7C15ull, {}};
  return s;
}

// The bar of the running peak. (A peak that carry had a part in was seen on its own bar.)
FN i64 peak_bar(Account &s, const double *close) {
  i64 t = s.peak_from;
  while (t + 1 < s.peak_to && mark(s.peak_line, close[t]) < s.peak) t++;
  s.peak_from = t;
  s.peak_to = t + 1;
  return t;
}
FN void new_peak(Account &s, double peak, i64 from, i64 to, const Line &l) {
  s.peak = peak;
  s.peak_from = from;
  s.peak_to = to;
  s.peak_line = l;
  s.floor = clear_of_rounding(peak, s.deepest);
}
FN void new_fall(Account &s, double fall, const double *close) {
  if (!(fall > s.deepest)) return;
  s.deepest = fall;
  s.end = -1;
  s.start = peak_bar(s, close);
  s.floor = clear_of_rounding(s.peak, fall);
}

FN void see(Account &s, i64 t, double equity, const Line &l, const double *close) {
  if (equity > s.peak) {
    if (s.deepest > 0.0 && s.end < 0) s.end = t;
    new_peak(s, equity, t, t + 1, l);
  } else if (equity < s.floor) {
    new_fall(s, 1.0 - equity / s.peak, close);
  }
}

// Whether no bar in [t, end) can be a new peak or a new worst, their closes being within [bottom, top].
FN bool clear(const Account &s, i64 t, i64 end, double bottom, double top, const Line &l) {
  double low = mark(l, l.q >= 0.0 ? bottom : top), high = mark(l, l.q >= 0.0 ? top : bottom);
  if (l.slope != 0.0) {
    const double first = accrued(l, t), last = accrued(l, end - 1);
    low -= larger(first, last);
    high -= lesser(first, last);
  }
  return high <= s.peak && low >= s.floor;
}

// Bars [t, end) without carry, whose extremes the closes bottom and top are; false when they must be read one by one.
FN bool decide(Account &s, i64 t, i64 end, double bottom, double top, const Line &l, const double *close) {
  const double low = mark(l, l.q >= 0.0 ? bottom : top), high = mark(l, l.q >= 0.0 ? top : bottom);
  if (high > s.peak) {
    // a new worst may follow the new peak; or the first new peak ends a drawdown: which bar?
    if (low < clear_of_rounding(high, s.deepest) || (s.deepest > 0.0 && s.end < 0)) return false;
    new_peak(s, high, t, end, l);
  } else if (low < s.floor) {
    new_fall(s, 1.0 - low / s.peak, close);
  }
  return true;
}
FN bool block(Account &s, i64 t, i64 end, double bottom, double top, const Line &l, const double *close) {
  return l.slope == 0.0 ? decide(s, t, end, bottom, top, l, close) : clear(s, t, end, bottom, top, l);
}

// Bars [t, end) of at most two blocks: first by the extremes of the blocks, then by their own.
FN bool piece(Account &s, const Prices &x, i64 t, i64 end, const Line &l) {
  const i64 first = t >> 6, last = (end - 1) >> 6;
  if (clear(s, t, end, lesser(x.bottom0[first], x.bottom0[last]), larger(x.top0[first], x.top0[last]), l)) return true;
  if (l.slope != 0.0) return false;
  double bottom = x.close[t], top = bottom;
  for (i64 i = t + 1; i < end; i++) {
    bottom = lesser(bottom, x.close[i]);
    top = larger(top, x.close[i]);
  }
  return decide(s, t, end, bottom, top, l, x.close);
}

FN void see_bars(Account &s, const Marks &m, i64 t, i64 end, const Line &l) {
  const Prices &x = m.x;
  while (t < end) {
    const i64 stop = end - t <= 64 ? end : (t | 63) + 1;
    if (m.skip) {
      if (!(t & 4095) && t + 4096 <= end && block(s, t, t + 4096, x.bottom1[t >> 12], x.top1[t >> 12], l, x.close)) { t += 4096; continue; }
      const bool whole = !(t & 63) && t + 64 <= end;
      if (whole ? block(s, t, stop, x.bottom0[t >> 6], x.top0[t >> 6], l, x.close) : piece(s, x, t, stop, l)) { t = stop; continue; }
    }
    for (; t < stop; t++) see(s, t, equity_at(l, x.close, t), l, x.close);
  }
}

// Period i of equal numbers of periods, whose sums are kept.
FN void add_to_block(Account &s, const Marks &m, i64 i, double excess, double square) {
  while (i >= m.periods * (s.block + 1) / m.blocks) s.block++;
  m.block_sums[s.block] += excess;
  m.block_squares[s.block] += square;
}

// Mark the bars up to `end`, and the return periods that end there.
DEVICE void stretch(Account &s, const Marks &m, i64 end, const Line &l) {
  if (s.at >= end) return;
  if (l.q == 0.0) see(s, s.at, l.base, l, m.x.close);
  else see_bars(s, m, s.at, end, l);
  for (; s.period < m.periods && m.ends[s.period] < end; s.period++) {
    const i64 i = s.period;
    const double equity = equity_at(l, m.x.close, m.ends[i]);
    if (m.equity) m.equity[i] = equity;
    const double excess = (s.before > 0.0 ? equity / s.before - 1.0 : 0.0) - m.risk_free, square = excess * excess;
    s.sums[0][i & (LANES - 1)] += excess;
    s.sums[1][i & (LANES - 1)] += square;
    s.sums[2][i & (LANES - 1)] += excess < 0.0 ? square : 0.0;
    if (m.blocks) add_to_block(s, m, i, excess, square);
    s.before = equity;
  }
  s.at = end;
}

FN double pairwise(const double *v) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }
FN u64 mix(u64 h, u64 word) {
  h = (h ^ word) * 0xFF51AFD7ED558CCDull;
  return h ^ (h >> 32);
}
FN u64 pattern(double value) { return (u64)__double_as_longlong(value + 0.0); }

// Everything in the tally that comes from rows alone, for the `count` rows of a position.
DEVICE void add_rows(Account &s, const Trade *rows, i64 count, Tally &out) {
  double pnl = 0.0, cost = 0.0;
  i64 ambiguous = 0;
  u64 h = s.hash;
  for (i64 i = 0; i < count; i++) {
    const Trade &t = rows[i];
    pnl += t.pnl;
    cost += t.units * t.entry_price;
    ambiguous |= t.ambiguous;
    out.fees += t.fees;
    out.accrued += t.accrued;
    out.shortfall += t.shortfall;
    out.notional += t.units * t.entry_price + t.units * t.exit_price;
    h = mix(mix(mix(h, (u64)t.entry_bar), (u64)t.exit_bar), (u64)(t.side * 16 + t.reason));
    h = mix(mix(mix(mix(h, pattern(t.entry_price)), pattern(t.exit_price)), pattern(t.units)), pattern(t.pnl));
  }
  s.hash = h;
  if (pnl > 0.0) out.wins++, out.gross_profit += pnl;
  else if (pnl < 0.0) out.losses++, out.gross_loss += pnl;
  const double share = pnl / cost;
  out.best = out.trades == 0 || share > out.best ? share : out.best;
  out.worst = out.trades == 0 || share < out.worst ? share : out.worst;
  const i64 bars = rows[count - 1].exit_bar - rows[0].entry_bar;
  out.bars_held += bars > 1 ? bars : 1;
  out.ambiguous += ambiguous;
  out.trades++;
}

// The number of rows of the position that begins with the first of `count` rows.
FN i64 rows_of_position(const Trade *rows, i64 count) {
  i64 i = 1;
  while (i < count && rows[i].position == rows[0].position) i++;
  return i;
}

FN void finish(const Account &s, double equity, i64 n, Tally &out) {
  out.hash = (i64)s.hash;
  out.final_equity = equity;
  out.drawdown = s.deepest;
  if (s.deepest > 0.0) {
    out.drawdown_start = s.start;
    out.drawdown_end = s.end >= 0 ? s.end : n - 1;
  }
  out.sum_return = pairwise(s.sums[0]);
  out.sum_square = pairwise(s.sums[1]);
  out.sum_downside = pairwise(s.sums[2]);
}

FN double signed_units(const Trade &t) { return (t.side == LONG ? 1.0 : -1.0) * t.units; }

// What open rows add up to; prices and bars are measured from those of the first one.
struct Open { double fees, shift; Line l; };
FN Open none() { const Open o = {0.0, 0.0, flat(0.0)}; return o; }
FN void add_row(Open &o, const Trade &t, const Trade &first, const Params &p) {
  const double rate = t.side == LONG ? p.carry_long : p.carry_short;
  o.l.ref = first.entry_price;
  o.l.since = first.entry_bar;
  o.fees += t.entry_fees;
  o.l.q += signed_units(t);
  o.shift += signed_units(t) * (t.entry_price - o.l.ref);
  o.l.slope += (rate * t.units) * t.entry_price;
  o.l.late += ((rate * t.units) * t.entry_price) * (double)(t.entry_bar - o.l.since);
}

// The next position of an account with one at a time: its rows enter in order and leave in order, [left, entered) are open.
DEVICE void add_position(Account &s, const Marks &m, const Trade *rows, i64 count, const Params &p, Tally &out) {
  Open o = none();
  for (i64 left = 0, entered = 0; left < count;) {
    const bool held = entered > left;
    i64 bar = held ? rows[left].exit_bar : rows[entered].entry_bar;
    if (entered < count) bar = least(bar, rows[entered].entry_bar);
    o.l.base = (s.equity - o.fees) - o.shift;
    if (held) out.exposed += bar - s.at;
    stretch(s, m, bar, held ? o.l : flat(s.equity));
    for (; entered < count && rows[entered].entry_bar == bar; entered++) add_row(o, rows[entered], rows[left], p);
    const i64 before = left;
    while (left < entered && rows[left].exit_bar == bar) s.equity += rows[left++].pnl;
    if (left > before) {
      o = none();
      for (i64 i = left; i < entered; i++) add_row(o, rows[i], rows[left], p);
    }
  }
  add_rows(s, rows, count, out);
}

// After the last position.
FN void end_account(Account &s, const Marks &m, Tally &out) {
  stretch(s, m, m.x.n, flat(s.equity));
  finish(s, s.equity, m.x.n, out);
}

// positions=single; one run, so one thread. `out` is a zeroed Tally, `equity_out` the equity at the end of each period.
KERNEL account(const u64 *columns, i64 n, const Trade *ledger, i64 count, const i64 *ends, i64 periods, const Params *params, double risk_free,
               i64 skip, double *equity_out, Tally *out) {
  if (THREAD != 0) return;
  const Prices x = prices(columns, n);
  const Marks m = {x, ends, periods, risk_free, skip != 0, equity_out, 0, nullptr, nullptr};
  Account s = begin(params->capital, *out);
  for (i64 i = 0, rows; i < count; i += rows) {
    rows = rows_of_position(ledger + i, count - i);
    add_position(s, m, ledger + i, rows, *params, *out);
  }
  end_account(s, m, *out);
}

// positions=overlapping and list: `exits` orders the ledger's rows by exit bar, then ledger order. Equity is cash + units * close; what accrues
// is booked at the exit only.
KERNEL account_list(const u64 *columns, i64 n, const Trade *ledger, i64 count, const i64 *exits, const i64 *ends, i64 periods,
                    const Params *params, double risk_free, i64 skip, double *equity_out, Tally *out) {
  if (THREAD != 0) return;
  const Prices x = prices(columns, n);
  const Marks m = {x, ends, periods, risk_free, skip != 0, equity_out, 0, nullptr, nullptr};
  Account s = begin(params->capital, *out);
  Line l = flat(params->capital);
  for (i64 left = 0, entered = 0; left < count;) {
    i64 bar = ledger[exits[left]].exit_bar;
    if (entered < count) bar = least(bar, ledger[entered].entry_bar);
    if (entered > left) out->exposed += bar - s.at;
    stretch(s, m, bar, l);
    for (; left < count && ledger[exits[left]].exit_bar == bar; left++) {
      const Trade &t = ledger[exits[left]];
      l.base = ((l.base + signed_units(t) * t.exit_price) - (t.fees - t.entry_fees)) - t.accrued;
      l.q -= signed_units(t);
    }
    for (; entered < count && ledger[entered].entry_bar == bar; entered++) {
      const Trade &t = ledger[entered];
      l.base = (l.base - signed_units(t) * t.entry_price) - t.entry_fees;
      l.q += signed_units(t);
    }
    if (entered == left) l.q = 0.0;
  }
  stretch(s, m, n, l);
  for (i64 i = 0, rows; i < count; i += rows) {
    rows = rows_of_position(ledger + i, count - i);
    add_rows(s, ledger + i, rows, *out);
  }
  finish(s, mark(l, x.close[n - 1]), n, *out);
}
