// The ledger of a table of entries, made dense on the device: entry i has the first rows[i] of `width` rows from i * width.

// Of each block of `size` entries the rows and the positions; and how many entries each code skipped.
KERNEL list_sums(const i64 *rows, const i64 *codes, i64 count, i64 size, i64 blocks, i64 *sums, u64 *skipped) {
  for (i64 b = THREAD; b < blocks; b += THREADS) {
    i64 total = 0, positions = 0;
    u64 mine[SKIPS] = {};
    for (i64 i = b * size; i < least(count, (b + 1) * size); i++) {
      total += rows[i];
      positions += rows[i] > 0;
      for (i64 code = 0; code < SKIPS; code++) mine[code] += codes[i] == code;
    }
    for (i64 code = 0; code < SKIPS; code++) if (mine[code]) atomicAdd(skipped + code, mine[code]);
    sums[b] = total;
    sums[blocks + b] = positions;
  }
}

// Rows without those that no trade took, positions numbered anew; `before` says how many rows and positions come before each block.
KERNEL list_pack(const Trade *sparse, const i64 *rows, i64 count, i64 width, i64 size, i64 blocks, const i64 *before, Trade *dense) {
  for (i64 b = THREAD; b < blocks; b += THREADS) {
    i64 at = before[b], position = before[blocks + b];
    for (i64 i = b * size; i < least(count, (b + 1) * size); i++) {
      for (i64 leg = 0; leg < rows[i]; leg++, at++) {
        dense[at] = sparse[i * width + leg];
        dense[at].position = position;
      }
      position += rows[i] > 0;
    }
  }
}

// Exit bars of a ledger, and how many of its rows entered before the row before them.
KERNEL list_bars(const Trade *ledger, i64 count, i64 *exits, u64 *unsorted) {
  for (i64 i = THREAD; i < count; i += THREADS) {
    exits[i] = ledger[i].exit_bar;
    if (i && ledger[i].entry_bar < ledger[i - 1].entry_bar) atomicAdd(unsorted, 1ull);
  }
}
