// The account: marks, drawdown, return sums, hash, from a ledger. gpubt/metrics/reference.py is its specification.
//
// Between fills equity is base + q * (close - ref), monotone in the close, and rounding keeps order: a block of bars is decided by its lowest and
// highest close. Bars are read only where both a new peak and a new worst drawdown are possible, or where the bar itself is wanted.

const int LANES = 8;

struct Line { double base, q, ref; };  // how equity depends on the close between two fills
FN double mark(const Line &l, double close) { return l.base + l.q * (close - l.ref); }

struct Account {
  double peak, deepest, floor, before, risk_free;  // floor: equity at or above it can't be a new worst
  Line peak_line;              // with peak_from..peak_to, where the peak was reached: its bar is looked up only when needed
  i64 peak_from, peak_to, start, end, period;
  double sums[3][LANES];
};

// Below this equity the exact test 1 - equity / peak > deepest is made. The margin is several times its rounding error, so that no division is
// needed above.
FN double clear_of_rounding(double peak, double deepest) { return peak * ((1.0 - deepest) + 4e-15); }

FN Account begin(double capital, double risk_free) {
  Account s = {capital, 0.0, clear_of_rounding(capital, 0.0), capital, risk_free, {capital, 0.0, 0.0}, 0, 1, 0, -1, 0, {}};
  return s;
}

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

// A whole block, when its extremes decide it; false when its bars must be read.
FN bool see_block(Account &s, i64 t, i64 size, double bottom, double top, const Line &l, const double *close) {
  const double low = mark(l, l.q >= 0.0 ? bottom : top), high = mark(l, l.q >= 0.0 ? top : bottom);
  if (high > s.peak) {
    // a new worst may follow the new peak; or the first new peak ends a drawdown: which bar?
    if (low < clear_of_rounding(high, s.deepest) || (s.deepest > 0.0 && s.end < 0)) return false;
    new_peak(s, high, t, t + size, l);
  } else if (low < s.floor) {
    new_fall(s, 1.0 - low / s.peak, close);
  }
  return true;
}

FN void see_bars(Account &s, const Prices &x, i64 t, i64 end, const Line &l, bool skip) {
  if (l.q == 0.0) {
    if (t < end) see(s, t, l.base, l, x.close);
    return;
  }
  while (t < end) {
    if (skip && !(t & 4095) && t + 4096 <= end && see_block(s, t, 4096, x.bottom1[t >> 12], x.top1[t >> 12], l, x.close)) { t += 4096; continue; }
    if (skip && !(t & 63) && t + 64 <= end && see_block(s, t, 64, x.bottom0[t >> 6], x.top0[t >> 6], l, x.close)) { t += 64; continue; }
    const i64 stop = least(end, (t | 63) + 1);
    for (; t < stop; t++) see(s, t, mark(l, x.close[t]), l, x.close);
  }
}

// Mark bars [t, end), and the return periods that end there.
FN void stretch(Account &s, const Prices &x, const i64 *ends, i64 periods, i64 t, i64 end, const Line &l, bool skip, double *equity_out) {
  see_bars(s, x, t, end, l, skip);
  for (; s.period < periods && ends[s.period] < end; s.period++) {
    const i64 i = s.period;
    const double equity = mark(l, x.close[ends[i]]);
    equity_out[i] = equity;
    const double excess = (s.before > 0.0 ? equity / s.before - 1.0 : 0.0) - s.risk_free, square = excess * excess;
    s.sums[0][i & (LANES - 1)] += excess;
    s.sums[1][i & (LANES - 1)] += square;
    s.sums[2][i & (LANES - 1)] += excess < 0.0 ? square : 0.0;
    s.before = equity;
  }
}

FN double pairwise(const double *v) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }
FN u64 mix(u64 h, u64 word) {
  h = (h ^ word) * 0xFF51AFD7ED558CCDull;
  return h ^ (h >> 32);
}
FN u64 pattern(double value) { return (u64)__double_as_longlong(value + 0.0); }

FN void add_trades(const Trade *ledger, i64 count, Tally &out) {
  u64 h = 0x9E3779B97F4A7C15ull;
  out.best = out.worst = not_a_number();
  for (i64 i = 0; i < count; i++) {
    const Trade &t = ledger[i];
    if (t.pnl > 0.0) out.wins++, out.gross_profit += t.pnl;
    else if (t.pnl < 0.0) out.losses++, out.gross_loss += t.pnl;
    out.fees += t.fees;
    out.notional += t.units * t.entry_price + t.units * t.exit_price;
    out.best = i == 0 || t.pnl_pct > out.best ? t.pnl_pct : out.best;
    out.worst = i == 0 || t.pnl_pct < out.worst ? t.pnl_pct : out.worst;
    out.bars_held += t.exit_bar - t.entry_bar > 1 ? t.exit_bar - t.entry_bar : 1;
    out.ambiguous += t.ambiguous;
    h = mix(mix(mix(h, (u64)t.entry_bar), (u64)t.exit_bar), (u64)(t.side * 16 + t.reason));
    h = mix(mix(mix(mix(h, pattern(t.entry_price)), pattern(t.exit_price)), pattern(t.units)), pattern(t.pnl));
  }
  out.trades = count;
  out.hash = (i64)h;
}

FN void finish(const Account &s, double equity, i64 n, Tally &out) {
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

// positions=single; one run, so one thread. `out` is a zeroed Tally, `equity_out` the equity at the end of each period.
KERNEL account(const u64 *columns, i64 n, const Trade *ledger, i64 count, const i64 *ends, i64 periods, double capital, double risk_free,
               i64 skip, double *equity_out, Tally *out) {
  if (THREAD != 0) return;
  const Prices x = prices(columns, n);
  Account s = begin(capital, risk_free);
  double equity = capital;
  i64 at = 0;
  for (i64 i = 0; i < count; i++) {
    const Trade &t = ledger[i];
    const double side = t.side == LONG ? 1.0 : -1.0;
    const Line flat = {equity, 0.0, 0.0}, open = {equity - t.entry_fees, side * t.units, t.entry_price};
    stretch(s, x, ends, periods, at, t.entry_bar, flat, skip, equity_out);
    stretch(s, x, ends, periods, t.entry_bar, t.exit_bar, open, skip, equity_out);
    equity += t.pnl;
    out->exposed += t.exit_bar - t.entry_bar;
    at = t.exit_bar;
  }
  const Line flat = {equity, 0.0, 0.0};
  stretch(s, x, ends, periods, at, n, flat, skip, equity_out);
  add_trades(ledger, count, *out);
  finish(s, equity, n, *out);
}

// positions=list: `exits` orders the ledger's rows by exit bar, then position. Equity is cash + units * close.
KERNEL account_list(const u64 *columns, i64 n, const Trade *ledger, i64 count, const i64 *exits, const i64 *ends, i64 periods, double capital,
                    double risk_free, i64 skip, double *equity_out, Tally *out) {
  if (THREAD != 0) return;
  const Prices x = prices(columns, n);
  Account s = begin(capital, risk_free);
  Line l = {capital, 0.0, 0.0};
  i64 held = 0, entered = 0, left = 0, at = 0;
  while (entered < count || left < count) {
    i64 bar = left < count ? ledger[exits[left]].exit_bar : n;
    if (entered < count) bar = least(bar, ledger[entered].entry_bar);
    stretch(s, x, ends, periods, at, bar, l, skip, equity_out);
    if (held > 0) out->exposed += bar - at;
    for (; left < count && ledger[exits[left]].exit_bar == bar; left++, held--) {
      const Trade &t = ledger[exits[left]];
      const double units = (t.side == LONG ? 1.0 : -1.0) * t.units;
      l.base = (l.base + units * t.exit_price) - (t.fees - t.entry_fees);
      l.q -= units;
    }
    for (; entered < count && ledger[entered].entry_bar == bar; entered++, held++) {
      const Trade &t = ledger[entered];
      const double units = (t.side == LONG ? 1.0 : -1.0) * t.units;
      l.base = (l.base - units * t.entry_price) - t.entry_fees;
      l.q += units;
    }
    if (!held) l.q = 0.0;
    at = bar;
  }
  stretch(s, x, ends, periods, at, n, l, skip, equity_out);
  add_trades(ledger, count, *out);
  finish(s, mark(l, x.close[n - 1]), n, *out);
}
