// Many runs in one launch, positions=single: one thread walks one set with the functions of a single run, and measures its account position by
// position, so that no ledger is kept. Only tallies and sums of returns leave the device.

// What the sets of one launch share. Set i trades the signals of inputs[input_of[i]] as trade_of[i] says: params, levels of entries, and the rungs
// of its ladder from rung_of on. `room` rows of `rows` are its own: those of two positions, as many as one step of the walk can end.
struct Sets {
  const Prices *inputs;
  const Params *params;
  const Entry *entries;
  const Rung *rungs;
  const i64 *rung_of, *input_of, *trade_of, *ends;
  Trade *rows;
  double *sums, *squares;
  Tally *out;
  i64 count, room, periods, blocks;
  double risk_free;
};

// Measure the positions that ended, and take their rows out; those of the open position move up.
DEVICE void settle(State &s, Account &a, const Marks &m, const Params &p, Tally &out) {
  for (i64 i = 0, rows; i < s.row; i += rows) {
    rows = rows_of_position(s.ledger + i, s.row - i);
    add_position(a, m, s.ledger + i, rows, p, out);
  }
  const i64 open = !s.side ? 0 : s.legs > 1 ? s.legs : s.closed;
  for (i64 i = 0; i < open; i++) s.ledger[i] = s.ledger[s.row + i];
  s.row = 0;
}

KERNEL simulate_sets(const Sets *sets, i64 bar_by_bar) {
  const Sets b = *sets;
  for (i64 i = THREAD; i < b.count; i += THREADS) {
    const Prices &x = b.inputs[b.input_of[i]];
    const i64 trade = b.trade_of[i];
    const Params &p = b.params[trade];
    const Marks m = {x, b.ends, b.periods, b.risk_free, !bar_by_bar, nullptr, b.blocks, b.sums + i * b.blocks, b.squares + i * b.blocks};
    State s;
    i64 skipped[SKIPS] = {};
    Tally out = {};
    Account a = begin(p.capital, out);
    begin_account(s, p, b.rungs + b.rung_of[trade], 0, b.rows + i * b.room, skipped);
    for (i64 t = bar_by_bar ? 0 : next_bar(x, p, s, 0); t < x.n; t = bar_by_bar ? t + 1 : next_bar(x, p, s, t + 1)) {
      step(x, p, b.entries[trade], s, t);
      if (s.row) settle(s, a, m, p, out);
    }
    end_account(a, m, out);
    b.out[i] = out;
  }
}
