// Windows about boundaries first + k * length, of several lengths at once. A value is made of a sum that runs back from the boundary, over what of
// its window lies before, and one that runs forward. A lane works the windows that end between one boundary and the next: their forward sums once to
// the end, of which only those where chunks of WIDE bars begin are kept, where the results will be; then back from the end, chunk by chunk, the
// forward sums again, from the kept ones, and the sums that run back. Nothing else is written but results, once.

struct Sums { double sum, more; };  // more: of squares, or weighted

struct Mean {
  static const bool TWO = false;
  FN Sums none() const { return {0.0, 0.0}; }
  FN Sums back(Sums s, double x, double a) const { return {s.sum + (x - a), 0.0}; }
  FN Sums forward(Sums s, double x, double a, double) const { return {s.sum + (x - a), 0.0}; }
  FN double whole(double a, Sums f, double inv) const { return a + f.sum * inv; }
  FN double both(double a, Sums b, Sums f, double, double inv) const { return a + (b.sum + f.sum) * inv; }
};

// Weights 1 to length: before the boundary the sum of the sums that run back, after it each value times its place, and once more for each of the
// `before` values before it.
struct Weighted {
  static const bool TWO = true;
  FN Sums none() const { return {0.0, 0.0}; }
  FN Sums back(Sums s, double x, double a) const {
    const double sum = s.sum + (x - a);
    return {sum, s.more + sum};
  }
  FN Sums forward(Sums s, double x, double a, double place) const {
    const double d = x - a;
    return {s.sum + d, s.more + place * d};
  }
  FN double whole(double a, Sums f, double inv) const { return a + f.more * inv; }
  FN double both(double a, Sums b, Sums f, double before, double inv) const { return a + ((b.more + f.more) + before * f.sum) * inv; }
};

struct Deviation {
  static const bool TWO = true;
  FN Sums none() const { return {0.0, 0.0}; }
  FN Sums back(Sums s, double x, double a) const {
    const double d = x - a;
    return {s.sum + d, s.more + d * d};
  }
  FN Sums forward(Sums s, double x, double a, double) const { return back(s, x, a); }
  FN double whole(double, Sums f, double inv) const { return sqrt(larger(0.0, (f.more - (f.sum * f.sum) * inv) * inv)); }
  FN double both(double a, Sums b, Sums f, double, double inv) const { return whole(a, {b.sum + f.sum, b.more + f.more}, inv); }
};

// The largest of sign * x: `sign` 1 for the highest value, -1 for the lowest.
struct Extreme {
  static const bool TWO = false;
  double sign;
  FN Sums none() const { return {-infinity(), 0.0}; }
  FN Sums back(Sums s, double x, double) const { return {larger(s.sum, sign * x), 0.0}; }
  FN Sums forward(Sums s, double x, double a, double) const { return back(s, x, a); }
  FN double whole(double, Sums f, double) const { return sign * f.sum + 0.0; }
  FN double both(double, Sums b, Sums f, double, double) const { return sign * larger(b.sum, f.sum) + 0.0; }
};

struct Chunk { Sums at[WIDE]; };

// The windows about `count` boundaries from bar `start` on, a lane each.
template <class Op>
FN void window_rows(Op op, const double *__restrict__ x, i64 bars, i64 first, const Length &l, i64 start, int count, double *tile) {
  const i64 n = l.length, chunks = (n + WIDE - 1) / WIDE, width = (n + chunks - 1) / chunks;  // of about one width
  double *const out = l.out;
  OfLane<double> anchor;
  OfLane<Sums> run;
  OfLane<Chunk> ahead;
  lanes([&](int lane) {
    run[lane] = op.none();
    if (lane < count) anchor[lane] = x[start + lane * n];
  });
  auto forward = [&](int lane, i64 from, int wide, Sums s) {
    const Part v = row_of(tile, lane);
    double place = (double)(from + 1);
#pragma unroll
    for (int i = 0; i < WIDE; i++, place = place + 1.0)
      if (i < wide) ahead[lane].at[i] = s = op.forward(s, v.at[i], anchor[lane], place);
    return s;
  };
  for (i64 from = 0; from + width < n; from += width) {
    load(tile, x, {start + from, n, first, bars, count, (int)width});
    lanes([&](int lane) {
      if (lane >= count) return;
      const Sums s = run[lane] = forward(lane, from, (int)width, run[lane]);
      const i64 next = start + lane * n + from + width;
      if (next < bars) out[next] = s.sum;
      if (Op::TWO && next < bars) out[next - 1] = s.more;
    });
  }
  lanes([&](int lane) { run[lane] = op.none(); });
  for (i64 from = (chunks - 1) * width; from >= 0; from -= width) {
    const int wide = (int)least(width, n - from);
    load(tile, x, {start + from, n, first, bars, count, wide});
    lanes([&](int lane) {
      const i64 t = start + lane * n + from;
      if (lane >= count || t >= bars) return;
      forward(lane, from, wide, from ? Sums{out[t], Op::TWO ? out[t - 1] : 0.0} : op.none());
    });
    load(tile, x, {start + from - n + 1, n, first, bars, count, wide});
    lanes([&](int lane) {
      if (lane >= count) return;
      double *const row = tile + lane * PITCH, a = anchor[lane];
      const Part v = row_of(tile, lane);
      const bool inner = start + lane * n > first;
      Sums b = run[lane];
#pragma unroll
      for (int i = WIDE - 1; i >= 0; i--) {
        if (i >= wide) continue;
        const i64 before = n - 1 - from - i;
        if (before) b = op.back(b, v.at[i], a);
        row[i] = !before ? op.whole(a, ahead[lane].at[i], l.inv) : inner ? op.both(a, b, ahead[lane].at[i], (double)before, l.inv) : not_a_number();
      }
      run[lane] = b;
    });
    store(tile, out, {start + from, n, first, bars, count, wide});
  }
}

// All lengths: neighbouring warps take different lengths over the same of `pieces` parts of the bars.
template <class Op> FN void windows(Op op, const double *x, i64 bars, i64 first, const Length *lengths, i64 count, i64 pieces, double *tile) {
  for (i64 item = THREAD / WARP; item < count * pieces; item += THREADS / WARP) {
    const Length l = lengths[item % count];
    const i64 piece = item / count, all = (bars - first + l.length - 1) / l.length, end = (piece + 1) * all / pieces;
    const i64 most = l.length <= LONGEST ? WARP_LANES : 1;
    blank_part(l.out, first, piece, pieces);
    for (i64 w = piece * all / pieces; w < end; w += most)
      window_rows(op, x, bars, first, l, first + w * l.length, (int)least(most, end - w), tile);
  }
}

KERNEL window_mean(const double *x, i64 bars, i64 first, const Length *lengths, i64 count, i64 pieces) {
  OF_WARP(tile, TILE);
  windows(Mean{}, x, bars, first, lengths, count, pieces, tile);
}
KERNEL window_weighted(const double *x, i64 bars, i64 first, const Length *lengths, i64 count, i64 pieces) {
  OF_WARP(tile, TILE);
  windows(Weighted{}, x, bars, first, lengths, count, pieces, tile);
}
KERNEL window_deviation(const double *x, i64 bars, i64 first, const Length *lengths, i64 count, i64 pieces) {
  OF_WARP(tile, TILE);
  windows(Deviation{}, x, bars, first, lengths, count, pieces, tile);
}
KERNEL window_extreme(const double *x, i64 bars, i64 first, const Length *lengths, i64 count, i64 pieces, double sign) {
  OF_WARP(tile, TILE);
  windows(Extreme{sign}, x, bars, first, lengths, count, pieces, tile);
}
