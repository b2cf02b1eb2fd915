// The open position: prices, sizes and levels of an entry, the effective stop, targets, ledger rows. gpubt/backends/kernels/position.py is the
// same in numba, gpubt/simulate/reference.py the specification.

// One account and its position. The first leg is in it; further legs (pyramiding) wait in the ledger rows that they will become.
struct State {
  double equity, price, units, fees, initial_units, risk, stop, target, liquidation, trail, trail_from, even_from, even, extreme, anchor, atr;
  double distance, own_target, order_level, order_limit;
  Range seen;
  i64 alone, side, entry_bar, first, inside, legs, rung, targets, laddered, ambiguous, row, closed, positions, left_at, leaving, flat_until;
  i64 entering, entering_signal, adds, order_side, order_signal, order_last, armed;
  i64 next_long_entry, next_long_exit, next_short_entry, next_short_exit, next_session;
  Trade *ledger;
  i64 *skipped;
  const Rung *rungs;
};

FN double charge(const Params &p, double units, double price) {
  return (p.commission_rate * (units * price) + p.commission_per_unit * units) + p.commission_fixed;
}
FN double commission(const Params &p, double units, double price) {
  const double cash = charge(p, units, price);
  return cash < p.commission_minimum ? p.commission_minimum : cash;
}
FN double slipped(const Prices &x, const Params &p, double reference, double direction, i64 t) {
  double distance = reference * p.slippage_rate + p.slippage_points;
  if (p.slippage_atr != 0.0) distance = distance + p.slippage_atr * optional(x.atr, t);
  return reference + direction * distance;
}
FN double sized(const Params &p, double equity, double price, double distance) {
  if (p.size_kind == PERCENT_EQUITY) {
    const double budget = p.size_value * equity;
    const double units = (budget - p.commission_fixed) / (price * (1.0 + p.commission_rate) + p.commission_per_unit);
    return charge(p, units, price) < p.commission_minimum ? (budget - p.commission_minimum) / price : units;
  }
  if (p.size_kind == FIXED_UNITS) return p.size_value;
  return p.size_kind == FIXED_CASH ? p.size_value / price : (p.size_value * equity) / distance;
}
FN double lots(const Params &p, double units) {
  if (p.lot <= 0.0) return units;
  double count = floor(units / p.lot);
  if ((count + 1.0) * p.lot <= units) count += 1.0;
  return count * p.lot;
}
DEVICE double level(i64 kind, double given, double anchor, double direction, double atr, double risk, double rule) {
  if (kind == NONE) return direction * infinity();
  if (kind == PRICE) return given;
  if (kind == RULE) return rule;
  if (kind == PCT) return anchor * (1.0 + direction * given);
  return anchor + direction * (kind == ATR ? given * atr : kind == R_MULTIPLE ? given * risk : given);
}
FN double carry(const Params &p, i64 side) { return side > 0 ? p.carry_long : p.carry_short; }

// Equity with the position at `price` in bar t.
DEVICE double mark(const Params &p, const State &s, double price, i64 t) {
  const double side = s.side, rate = carry(p, s.side);
  double fees = 0.0 + s.fees, units = 0.0 + side * s.units, shift = 0.0 + (side * s.units) * (s.price - s.price);
  double slope = 0.0 + (rate * s.units) * s.price, late = 0.0 + ((rate * s.units) * s.price) * (double)(s.entry_bar - s.entry_bar);
  for (i64 j = 1; j < s.legs; j++) {
    const Trade &leg = s.ledger[s.row + j];
    fees += leg.entry_fees;
    units += side * leg.units;
    shift += (side * leg.units) * (leg.entry_price - s.price);
    slope += (rate * leg.units) * leg.entry_price;
    late += ((rate * leg.units) * leg.entry_price) * (double)(leg.entry_bar - s.entry_bar);
  }
  return (((s.equity - fees) - shift) + units * (price - s.price)) - (slope * (double)(t - s.entry_bar) - late);
}
FN double held(const State &s) {
  double total = 0.0 + s.units;
  for (i64 j = 1; j < s.legs; j++) total += s.ledger[s.row + j].units;
  return total;
}
DEVICE void set_liquidation(const Params &p, State &s) {
  if (!p.liquidate || s.alone) {
    s.liquidation = -(double)s.side * infinity();
    return;
  }
  double units = 0.0 + s.units, cost = 0.0 + s.units * s.price, fees = 0.0 + s.fees;
  for (i64 j = 1; j < s.legs; j++) {
    const Trade &leg = s.ledger[s.row + j];
    units += leg.units;
    cost += leg.units * leg.entry_price;
    fees += leg.entry_fees;
  }
  const double own = s.equity - fees;
  s.liquidation = s.side > 0 ? (cost - own) / (units * (1.0 - p.maintenance)) : (cost + own) / (units * (1.0 + p.maintenance));
}

// The nearest of initial, break-even, trailing stop and liquidation; on a tie the earlier of these. Monotone in the extremes.
struct Stop { double price; i64 reason; };
FN Stop trailed_stop(const Params &p, const State &s, double extreme, double trailing_extreme) {
  const double side = s.side;
  Stop stop = {s.stop, STOP};
  if (side * (extreme - s.even_from) >= 0.0 && side * (s.even - stop.price) > 0.0) stop = {s.even, BREAK_EVEN};
  if (p.trail_kind != NONE && side * (trailing_extreme - s.trail_from) >= 0.0) {
    const double trailing = p.trail_kind == PCT ? trailing_extreme * (1.0 - side * s.trail) : trailing_extreme - side * s.trail;
    if (side * (trailing - stop.price) > 0.0) stop = {trailing, TRAILING};
  }
  if (side * (s.liquidation - stop.price) > 0.0) stop = {s.liquidation, LIQUIDATION};
  return stop;
}
FN Stop effective_stop(const Params &p, const State &s, double extreme) { return trailed_stop(p, s, extreme, extreme); }
FN double better(const State &s, double price) { return (double)s.side * (price - s.extreme) > 0.0 ? price : s.extreme; }

FN double target_at(const State &s, i64 i) {
  if (!s.laddered) return s.own_target;
  return level(s.rungs[i].kind, s.rungs[i].value, s.anchor, s.side, s.atr, s.distance, not_a_number());
}
// What target i closes; infinite: everything.
FN double target_units(const Params &p, const State &s, i64 i) {
  return !s.laddered || s.rungs[i].rest ? infinity() : lots(p, s.rungs[i].share * s.initial_units);
}
FN void next_target(State &s) { s.target = s.rung < s.targets ? target_at(s, s.rung) : (double)s.side * infinity(); }
// How many of the targets a price reaches, in their order.
FN i64 touched(const State &s, double reach) {
  i64 i = s.rung;
  while (i < s.targets && (double)s.side * (reach - target_at(s, i)) >= 0.0) i++;
  return i - s.rung;
}

FN void skip(State &s, i64 code) { s.skipped[code]++; }

// Anchor, initial stop and targets of an entry at `price`; false when one of them, or ATR where it is needed, is NaN.
DEVICE bool set_levels(const Prices &x, const Params &p, const Entry &entry, State &s, i64 side, i64 signal, double price) {
  const double atr = optional(x.atr, signal);
  s.atr = atr;
  s.anchor = p.anchor == ANCHOR_FILL ? price : x.close[signal];
  s.laddered = entry.target_kind == NONE && p.rungs > 0;
  s.targets = s.laddered ? p.rungs : entry.target_kind != NONE ? 1 : 0;
  bool needs_atr = entry.stop_kind == ATR || p.trail_kind == ATR || p.even_kind == ATR || entry.target_kind == ATR;
  for (i64 i = 0; s.laddered && i < p.rungs; i++) needs_atr |= s.rungs[i].kind == ATR;
  if (needs_atr && atr != atr) return false;
  s.stop = level(entry.stop_kind, entry.stop_value, s.anchor, -side, atr, 0.0, optional(side > 0 ? x.long_stop : x.short_stop, signal));
  s.distance = (double)side * (s.anchor - s.stop);
  if (s.stop != s.stop) return false;
  if (s.laddered) {
    for (i64 i = 0; i < p.rungs; i++) {
      const double target = level(s.rungs[i].kind, s.rungs[i].value, s.anchor, side, atr, s.distance, not_a_number());
      if (target != target) return false;
    }
    return true;
  }
  const double rule = optional(side > 0 ? x.long_target : x.short_target, signal);
  s.own_target = level(entry.target_kind, entry.target_value, s.anchor, side, atr, s.distance, rule);
  return s.own_target == s.own_target;
}

// Open a position, or add to it, at the raw price `reference` in bar t; a skip is counted when that can't be.
DEVICE void fill(const Prices &x, const Params &p, const Entry &entry, State &s, i64 t, i64 signal, i64 side, double reference, i64 order,
                 i64 inside) {
  const bool adds = s.side != 0;
  const double equity = adds ? mark(p, s, reference, t) : s.equity;
  if (!(equity > 0.0)) return skip(s, NO_EQUITY);
  const double price = order == MARKET || order == STOP_ORDER ? slipped(x, p, reference, side, t) : reference;
  if ((!adds && !set_levels(x, p, entry, s, side, signal, price)) || price != price) return skip(s, NAN_LEVEL);
  const bool has_stop = entry.stop_kind != NONE;
  const double distance = (double)side * (price - s.stop);
  if (has_stop && p.size_kind == RISK_PERCENT && price == s.stop) return skip(s, ZERO_RISK);
  if (has_stop && !(distance > 0.0) && !p.beyond_stop) return skip(s, WRONG_SIDE);
  double units = entry.size != entry.size ? sized(p, equity, price, distance) : entry.size;
  const double cap = (p.max_leverage * equity) / price - (adds ? held(s) : 0.0);
  if (!s.alone && units > cap) units = cap;
  units = lots(p, units);
  if (!(units > 0.0)) return skip(s, ZERO_SIZE);
  const double risk = has_stop && distance > 0.0 ? distance : not_a_number();
  if (adds) {
    Trade &leg = s.ledger[s.row + s.legs++];
    leg.entry_price = price; leg.units = units; leg.entry_fees = commission(p, units, price);
    leg.entry_bar = t; leg.r_multiple = risk;
  } else {
    const bool at_open = !inside && !(p.order == MARKET && p.entry_at == AT_CLOSE);
    s.first = at_open && !p.exposed_later ? t : t + 1;
    s.side = side; s.entry_bar = t; s.inside = inside; s.legs = 1; s.closed = 0; s.ambiguous = 0;
    s.price = price; s.units = s.initial_units = units; s.fees = commission(p, units, price); s.risk = risk; s.extreme = price;
    s.trail = p.trail_kind == ATR ? p.trail_value * s.atr : p.trail_value;
    s.trail_from = level(p.trail_kind, p.trail_activation, price, side, s.atr, 0.0, not_a_number());
    s.even_from = level(p.even_kind, p.even_value, price, side, s.atr, risk, not_a_number());
    s.even = price * (1.0 + (double)side * p.even_plus);
    s.rung = 0;
    s.seen = {infinity(), -infinity()};
    next_target(s);
  }
  set_liquidation(p, s);
}

// The ledger row of `units` of a leg closed in bar t at `price`; its pnl is realised. `seen`: the range of the bars that it was open through.
DEVICE void book(const Params &p, State &s, Trade &row, i64 t, double units, double entry_fees, double entry, i64 entry_bar, const Range &seen,
                 double risk, double price, i64 reason) {
  const double side = s.side;
  const double exit_fees = reason == END_OF_DATA && p.end_free ? 0.0 : commission(p, units, price);
  const double accrued = ((carry(p, s.side) * units) * entry) * (double)(t - entry_bar);
  double pnl = (((side * units) * (price - entry) - entry_fees) - exit_fees) - accrued, shortfall = 0.0;
  if (p.liquidate && !s.alone && pnl < -s.equity) shortfall = -s.equity - pnl, pnl = -s.equity;
  const double lowest = price < seen.low ? price : seen.low, highest = price > seen.high ? price : seen.high;
  const double mae = side * ((s.side > 0 ? lowest : highest) - entry) / entry, mfe = side * ((s.side > 0 ? highest : lowest) - entry) / entry;
  row.entry_bar = entry_bar; row.exit_bar = t;
  row.entry_price = entry; row.exit_price = price;
  row.side = s.side > 0 ? LONG : SHORT;
  row.units = units;
  row.entry_fees = entry_fees; row.fees = entry_fees + exit_fees;
  row.accrued = accrued; row.shortfall = shortfall;
  row.pnl = pnl; row.pnl_pct = pnl / (units * entry);
  row.r_multiple = pnl / (units * risk);
  row.mae = mae < 0.0 ? mae : 0.0;
  row.mfe = mfe > 0.0 ? mfe : 0.0;
  row.reason = reason; row.ambiguous = s.ambiguous;
  row.position = s.positions; row.leg = s.closed;
  s.closed++;
  s.equity += pnl;
}

// Close what is open at the raw price `reference`; targets are limit fills.
DEVICE void close(const Prices &x, const Params &p, State &s, i64 t, double reference, i64 reason, bool at_open) {
  const bool unmoved = reason == TARGET || (reason == END_OF_DATA && p.end_free);
  const double price = unmoved ? reference : slipped(x, p, reference, -s.side, t);
  book(p, s, s.ledger[s.row + s.closed], t, s.units, s.fees, s.price, s.entry_bar, s.seen, s.risk, price, reason);
  for (i64 j = 1; j < s.legs; j++) {
    Trade &leg = s.ledger[s.row + j];
    const Range seen = extremes(x, p.entry_at == AT_OPEN && !p.exposed_later ? leg.entry_bar : leg.entry_bar + 1, t);
    book(p, s, leg, t, leg.units, leg.entry_fees, leg.entry_price, leg.entry_bar, seen, leg.r_multiple, price, reason);
  }
  s.row += s.closed;
  s.side = s.leaving = 0;
  s.positions++;
  s.left_at = 2 * t + (at_open ? 0 : 1);
  s.flat_until = t + p.cooldown;
  if (reason != SIGNAL && !p.reentry && !p.cooldown) s.flat_until = t + 1;
}

// The targets that `reach` touches fill, in their order, each at its level or all at `price`.
DEVICE void fill_targets(const Prices &x, const Params &p, State &s, i64 t, double reach, bool at_level, double price, bool at_open) {
  for (i64 count = touched(s, reach); count > 0; count--) {
    const double units = target_units(p, s, s.rung), reference = at_level ? s.target : price;
    s.rung++;
    if (!(units < s.units)) return close(x, p, s, t, reference, TARGET, at_open);
    if (units > 0.0) {
      const double fees = s.fees * (units / s.units);
      book(p, s, s.ledger[s.row + s.closed], t, units, fees, s.price, s.entry_bar, s.seen, s.risk, reference, TARGET);
      s.units = s.units - units;
      s.fees = s.fees - fees;
      set_liquidation(p, s);
    }
    next_target(s);
  }
}
