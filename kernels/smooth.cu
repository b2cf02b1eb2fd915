// y = (1 - k) y' + k x of several lengths at once, seeded at bar first + length - 1 with the mean of the first `length` values, by blocks of
// SMOOTH_BLOCK bars from first + length on: each is scanned from zero, z = (1 - k) z + k (x - anchor), and the last output before it enters once,
// times a power of 1 - k. A lane scans a block twice, first for what it ends with, then for its values: a value is written once, and never read.
// With two CHAINS, of rsi, x are changes, of which one chain smooths the rises and one the falls. Row chain * count + i is of length i.

const i64 SMOOTH_BLOCK = 1024;
const double SMOOTH_TINY = 1e-100;

// What rsi and atr smooth, from bar first + 1 on: changes, or true ranges.
KERNEL smooth_changes(const double *x, i64 bars, i64 first, double *changes) {
  for (i64 t = first + 1 + THREAD; t < bars; t += THREADS) changes[t] = x[t] - x[t - 1];
}
KERNEL smooth_ranges(const double *high, const double *low, const double *close, i64 bars, i64 first, double *ranges) {
  for (i64 t = first + 1 + THREAD; t < bars; t += THREADS) {
    const double before = close[t - 1];
    ranges[t] = larger(larger(high[t] - low[t], fabs(high[t] - before)), fabs(low[t] - before));
  }
}

FN double of_chain(int chains, int chain, double x) { return chains == 1 ? x : larger(0.0, chain ? -x : x); }
FN i64 blocks_from(i64 start, i64 bars) { return start < bars ? (bars - start + SMOOTH_BLOCK - 1) / SMOOTH_BLOCK : 0; }

struct Scan { double anchor, z, carried; };
template <int CHAINS> struct Scans { Scan of[CHAINS]; };

// 1. ends[block * rows + row]: the last z of each block, 32 blocks a warp. Neighbouring warps take the same bars.
template <int CHAINS>
FN void scan_ends(const double *x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, double *ends, double *tile) {
  for (i64 item = THREAD / WARP; item < count * groups; item += THREADS / WARP) {
    const i64 i = item % count, block = item / count * WARP_LANES;
    const Length l = lengths[i];
    const i64 start = first + l.length + block * SMOOTH_BLOCK;
    const int own = (int)least(WARP_LANES, blocks_from(start, bars));
    const double b = 1.0 - l.k;
    OfLane<Scans<CHAINS>> scans;
    lanes([&](int lane) { scans[lane] = {}; });
    for (i64 from = 0; own && from < SMOOTH_BLOCK; from += WIDE) {
      load(tile, x, {start + from, SMOOTH_BLOCK, first, bars, own, WIDE});
      lanes([&](int lane) {
        if (lane >= own) return;
        const double *const values = tile + lane * PITCH;
        for (int c = 0; c < CHAINS; c++) {
          Scan s = scans[lane].of[c];
          if (!from && anchored) s.anchor = values[0];
#pragma unroll
          for (int j = 0; j < WIDE; j++) s.z = b * s.z + l.k * (of_chain(CHAINS, c, values[j]) - s.anchor);
          scans[lane].of[c] = s;
        }
      });
    }
    lanes([&](int lane) {
      for (int c = 0; c < CHAINS; c++)
        if (lane < own) ends[((block + lane) * CHAINS + c) * count + i] = scans[lane].of[c].z;
    });
  }
}
KERNEL smooth_ends(const double *x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, double *ends) {
  OF_WARP(tile, TILE);
  scan_ends<1>(x, anchored, bars, first, lengths, count, groups, ends, tile);
}
KERNEL strength_ends(const double *changes, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, double *ends) {
  OF_WARP(tile, TILE);
  scan_ends<2>(changes, 0, bars, first, lengths, count, groups, ends, tile);
}

// 2. A thread a row: the powers of 1 - k (count, SMOOTH_BLOCK), the seed, and the last output before each block, as `ends`.
KERNEL smooth_carry(const double *__restrict__ x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 chains,
                    const double *__restrict__ ends, double *__restrict__ powers, double *__restrict__ carried) {
  const i64 rows = count * chains;
  for (i64 row = THREAD; row < rows; row += THREADS) {
    const Length l = lengths[row % count];
    const i64 start = first + l.length, blocks = blocks_from(start, bars);
    double p = 1.0, sum = 0.0, a = anchored ? x[first] : 0.0;
    for (i64 i = 0; i < SMOOTH_BLOCK; i++) {
      p = p * (1.0 - l.k);
      if (p < SMOOTH_TINY) p = 0.0;
      if (row < count) powers[row * SMOOTH_BLOCK + i] = p;
    }
    for (i64 t = first; t < start; t++) sum = sum + (of_chain((int)chains, row >= count, x[t]) - a);
    double last = carried[row] = a + sum * l.inv;
#pragma unroll 8  // several ends of blocks are on their way while one is used
    for (i64 block = 1; block < blocks; block++) {
      a = anchored ? x[start + (block - 1) * SMOOTH_BLOCK] : 0.0;
      carried[block * rows + row] = last = a + (ends[(block - 1) * rows + row] + p * (last - a));
    }
  }
}

FN double strength(double rise, double fall) {
  const double total = rise + fall;
  return total > 0.0 ? 100.0 * (rise / total) : 0.0;
}

// 3. The values; of two chains the strength of the first against the second.
template <int CHAINS>
FN void smoothed(const double *x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups,
                 const double *__restrict__ powers, const double *__restrict__ carried, double *tile) {
  for (i64 item = THREAD / WARP; item < count * groups; item += THREADS / WARP) {
    const i64 i = item % count, group = item / count, block = group * WARP_LANES;
    const Length l = lengths[i];
    const i64 seed = first + l.length - 1, start = seed + 1 + block * SMOOTH_BLOCK;
    const int own = (int)least(WARP_LANES, blocks_from(start, bars));
    const double b = 1.0 - l.k;
    OfLane<Scans<CHAINS>> scans;
    blank_part(l.out, seed, group, groups);
    lanes([&](int lane) {
      if (!group && !lane) l.out[seed] = CHAINS == 1 ? carried[i] : strength(carried[i], carried[count + i]);
      for (int c = 0; c < CHAINS; c++)
        if (lane < own) scans[lane].of[c] = {0.0, 0.0, carried[((block + lane) * CHAINS + c) * count + i]};
    });
    for (i64 from = 0; own && from < SMOOTH_BLOCK; from += WIDE) {
      const Rows here = {start + from, SMOOTH_BLOCK, first, bars, own, WIDE};
      load(tile, x, here);
      lanes([&](int lane) {
        if (lane >= own) return;
        double *const values = tile + lane * PITCH;
        Scans<CHAINS> s = scans[lane];
        if (!from && anchored) s.of[0].anchor = values[0];
#pragma unroll
        for (int j = 0; j < WIDE; j++) {
          const double power = powers[i * SMOOTH_BLOCK + from + j];
          double y[CHAINS];
          for (int c = 0; c < CHAINS; c++) {
            Scan &f = s.of[c];
            f.z = b * f.z + l.k * (of_chain(CHAINS, c, values[j]) - f.anchor);
            y[c] = f.anchor + (f.z + power * (f.carried - f.anchor));
          }
          values[j] = CHAINS == 1 ? y[0] : strength(y[0], y[CHAINS - 1]);
        }
        scans[lane] = s;
      });
      store(tile, l.out, here);
    }
  }
}
KERNEL smooth_values(const double *x, i64 anchored, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, const double *powers,
                     const double *carried) {
  OF_WARP(tile, TILE);
  smoothed<1>(x, anchored, bars, first, lengths, count, groups, powers, carried, tile);
}
KERNEL strength_values(const double *changes, i64 bars, i64 first, const Length *lengths, i64 count, i64 groups, const double *powers,
                       const double *carried) {
  OF_WARP(tile, TILE);
  smoothed<2>(changes, 0, bars, first, lengths, count, groups, powers, carried, tile);
}
