// y = (1 - k) y' + k x of several lengths at once, seeded at bar first + length - 1 with the mean of the first `length` values, by blocks of
// SMOOTH_BLOCK bars from `first` + length on: each is scanned from zero, z = (1 - k) z + k (x - anchor), and the last output before it enters once,
// times a power of 1 - k. A lane scans a block twice, first for what it ends with, then for its values: a value is written once, and never read.
// A row is a length of a column: the second column, if there is one (falls beside rises), has rows count to 2 count - 1.

const i64 SMOOTH_BLOCK = 1024;
const double SMOOTH_TINY = 1e-100;

// What rsi and atr smooth, from bar first + 1 on: rises and falls of x, or true ranges.
KERNEL smooth_changes(const double *x, i64 bars, i64 first, double *rises, double *falls) {
  for (i64 t = first + 1 + THREAD; t < bars; t += THREADS) {
    const double rise = x[t] - x[t - 1];
    rises[t] = larger(0.0, rise), falls[t] = larger(0.0, -rise);
  }
}
KERNEL smooth_ranges(const double *high, const double *low, const double *close, i64 bars, i64 first, double *ranges) {
  for (i64 t = first + 1 + THREAD; t < bars; t += THREADS) {
    const double before = close[t - 1];
    ranges[t] = larger(larger(high[t] - low[t], fabs(high[t] - before)), fabs(low[t] - before));
  }
}

FN i64 blocks_from(i64 start, i64 bars) { return start < bars ? (bars - start + SMOOTH_BLOCK - 1) / SMOOTH_BLOCK : 0; }

// 1. ends[block * rows + row]: the last z of each block, 32 blocks a warp. Neighbouring warps take the same bars.
KERNEL smooth_ends(const double *x, const double *y, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 rows, i64 groups,
                   double *ends) {
  OF_WARP(tile, TILE);
  for (i64 item = THREAD / WARP; item < rows * groups; item += THREADS / WARP) {
    const i64 row = item % rows, block = item / rows * WARP_LANES;
    const Length l = lengths[row % count];
    const i64 start = first + l.length + block * SMOOTH_BLOCK;
    const int own = (int)least(WARP_LANES, blocks_from(start, bars));
    const double b = 1.0 - l.k;
    OfLane<double> anchor, end;
    for (i64 from = 0; own && from < SMOOTH_BLOCK; from += WIDE) {
      load(tile, row < count ? x : y, {start + from, SMOOTH_BLOCK, first, bars, own, WIDE});
      lanes([&](int lane) {
        if (lane >= own) return;
        const double *const values = tile + lane * PITCH;
        if (!from) anchor[lane] = anchored ? values[0] : 0.0, end[lane] = 0.0;
        double z = end[lane];
#pragma unroll
        for (int i = 0; i < WIDE; i++) z = b * z + l.k * (values[i] - anchor[lane]);
        end[lane] = z;
      });
    }
    lanes([&](int lane) { if (lane < own) ends[(block + lane) * rows + row] = end[lane]; });
  }
}

// 2. A thread a row: the powers of 1 - k (count, SMOOTH_BLOCK), the seed, and the last output before each block, as `ends`.
KERNEL smooth_carry(const double *x, const double *y, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 rows,
                    const double *__restrict__ ends, double *__restrict__ powers, double *__restrict__ carried) {
  for (i64 row = THREAD; row < rows; row += THREADS) {
    const Length l = lengths[row % count];
    const double *__restrict__ const values = row < count ? x : y;
    const i64 start = first + l.length;
    double p = 1.0, sum = 0.0, a = anchored ? values[first] : 0.0;
    for (i64 i = 0; i < SMOOTH_BLOCK; i++) {
      p = p * (1.0 - l.k);
      if (p < SMOOTH_TINY) p = 0.0;
      if (row < count) powers[row * SMOOTH_BLOCK + i] = p;
    }
    for (i64 t = first; t < start; t++) sum = sum + (values[t] - a);
    double last = carried[row] = a + sum * l.inv;
    const i64 blocks = blocks_from(start, bars);
#pragma unroll 8  // several ends of blocks are on their way while one is used
    for (i64 block = 1; block < blocks; block++) {
      a = anchored ? values[start + (block - 1) * SMOOTH_BLOCK] : 0.0;
      carried[block * rows + row] = last = a + (ends[(block - 1) * rows + row] + p * (last - a));
    }
  }
}

struct Scan { double anchor, z, carried; };

FN double strength(double rise, double fall) {
  const double total = rise + fall;
  return total > 0.0 ? 100.0 * (rise / total) : 0.0;
}

// 3. The values, of one column, or the strength of the first against the second.
template <int COLUMNS>
FN void smoothed(const double *x, const double *y, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups,
                 const double *__restrict__ powers, const double *__restrict__ carried, double *tile) {
  const i64 rows = count * COLUMNS;
  for (i64 item = THREAD / WARP; item < count * groups; item += THREADS / WARP) {
    const i64 row = item % count, group = item / count, block = group * WARP_LANES;
    const Length l = lengths[row];
    const i64 seed = first + l.length - 1, start = seed + 1 + block * SMOOTH_BLOCK;
    const int own = (int)least(WARP_LANES, blocks_from(start, bars));
    const double b = 1.0 - l.k;
    OfLane<Scan> scan[COLUMNS];
    OfLane<Part> rises;
    blank_part(l.out, seed, group, groups);
    lanes([&](int lane) {
      if (!group && !lane) l.out[seed] = COLUMNS == 1 ? carried[row] : strength(carried[row], carried[count + row]);
      for (int c = 0; c < COLUMNS; c++)
        if (lane < own) scan[c][lane] = {0.0, 0.0, carried[(block + lane) * rows + c * count + row]};
    });
    for (i64 from = 0; own && from < SMOOTH_BLOCK; from += WIDE) {
      const Rows here = {start + from, SMOOTH_BLOCK, first, bars, own, WIDE};
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
        load(tile, c ? y : x, here);
        lanes([&](int lane) {
          if (lane >= own) return;
          double *const values = tile + lane * PITCH;
          Scan s = scan[c][lane];
          if (!from && anchored) s.anchor = values[0];
#pragma unroll
          for (int i = 0; i < WIDE; i++) {
            s.z = b * s.z + l.k * (values[i] - s.anchor);
            const double value = s.anchor + (s.z + powers[row * SMOOTH_BLOCK + from + i] * (s.carried - s.anchor));
            if (COLUMNS == 1) values[i] = value;
            else if (!c) rises[lane].at[i] = value;
            else values[i] = strength(rises[lane].at[i], value);
          }
          scan[c][lane] = s;
        });
      }
      store(tile, l.out, here);
    }
  }
}

KERNEL smooth_values(const double *x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, const double *powers,
                     const double *carried) {
  OF_WARP(tile, TILE);
  smoothed<1>(x, x, anchored, bars, first, lengths, count, groups, powers, carried, tile);
}
KERNEL smooth_strength(const double *rises, const double *falls, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups,
                       const double *powers, const double *carried) {
  OF_WARP(tile, TILE);
  smoothed<2>(rises, falls, 0, bars, first, lengths, count, groups, powers, carried, tile);
}
