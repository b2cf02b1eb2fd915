// Tiles of a warp. Where a lane walks a window or a block of bars by itself, neighbouring lanes are a window apart, and would read and write a sector
// each. So the warp moves WIDE bars of all 32 in rows, neighbouring lanes neighbouring bars, and each lane walks its row in shared memory. Rows are
// PITCH apart, an odd number: lanes that are in one column are in different banks.
const int WIDE = 16, PITCH = WIDE + 1, TILE = WARP_LANES * PITCH;

// One of several lengths of an indicator, in one launch. inv: 1 / length, or over the sum of weights; k: of a recurrence.
struct Length { i64 length; double inv, k; double *out; };

// Some bars of some rows: row r begins at bar start + r * stride, and has `width` <= WIDE columns. For bars outside [first, bars) others are loaded,
// without a branch that loads would wait for, and none is stored. Within a tile bars are counted in 32 bits: half the instructions.
struct Rows { i64 start, stride, first, bars; int count, width; };
const i64 LONGEST = 1ll << 26;  // stride of several rows, so that 32 bits are enough

FN int narrow(i64 x) { return (int)(x < -LONGEST * WARP_LANES ? -LONGEST * WARP_LANES + 1 : least(x, LONGEST * WARP_LANES - 1)); }

// work(place in the tile, bars from start) for each bar of the rows.
template <class F> FN void each_bar(const Rows &b, F work) {
  const int share = (65536 + b.width - 1) / b.width, stride = (int)b.stride;  // e * share >> 16 is e / width: e < 512
  lanes([&](int lane) {
#pragma unroll 4  // so many loads are on their way at once
    for (int e = lane; e < b.count * b.width; e += WARP_LANES) {
      const int r = e * share >> 16, c = e - r * b.width;
      work(r * PITCH + c, r * stride + c);
    }
  });
}
FN void load(double *tile, const double *x, const Rows &b) {
  const int low = narrow(b.first - b.start), high = narrow(b.bars - 1 - b.start);
  each_bar(b, [&](int at, int t) { tile[at] = x[b.start + (t < low ? low : t > high ? high : t)]; });
}
FN void store(const double *tile, double *out, const Rows &b) {
  const int high = narrow(b.bars - 1 - b.start);
  each_bar(b, [&](int at, int t) { if (t <= high) out[b.start + t] = tile[at]; });
}

// What a lane walks, read before it does.
struct Part { double at[WIDE]; };
FN Part row_of(const double *tile, int lane) {
  Part row;
#pragma unroll
  for (int i = 0; i < WIDE; i++) row.at[i] = tile[lane * PITCH + i];
  return row;
}

// Warm-up of `out` up to bar `end`: the part of it that is `piece` of `pieces`.
FN void blank_part(double *out, i64 end, i64 piece, i64 pieces) {
  lanes([&](int lane) {
    for (i64 t = piece * end / pieces + lane; t < (piece + 1) * end / pieces; t += WARP_LANES) out[t] = not_a_number();
  });
}
