// Numbers made of a rule's mask, float64 a bar, NaN before bar `first`. Bars before `first` never hold.

FN bool holds(const u64 *mask, i64 t) { return mask[t >> 6] >> (t & 63) & 1; }

// Words are taken in chunks of MEASURE_CHUNK, one thread a chunk. last[chunk]: the last bar of the chunk that holds, or -1.
const i64 MEASURE_CHUNK = 32;

KERNEL measure_last(const u64 *mask, i64 n, i64 *last) {
  const i64 words = n / 64 + 1, chunks = (words + MEASURE_CHUNK - 1) / MEASURE_CHUNK;
  for (i64 chunk = THREAD; chunk < chunks; chunk += THREADS) {
    i64 found = -1;
    for (i64 t = least(n, (chunk + 1) * MEASURE_CHUNK * 64) - 1; t >= chunk * MEASURE_CHUNK * 64 && found < 0; t--)
      if (holds(mask, t)) found = t;
    last[chunk] = found;
  }
}

// Bars since it last held; before it ever did, as if it had on the bar before `first`.
KERNEL measure_since(const u64 *mask, i64 n, i64 first, const i64 *last, double *out) {
  const i64 words = n / 64 + 1, chunks = (words + MEASURE_CHUNK - 1) / MEASURE_CHUNK;
  for (i64 chunk = THREAD; chunk < chunks; chunk += THREADS) {
    i64 from = chunk - 1;
    while (from >= 0 && last[from] < 0) from--;
    i64 at = from >= 0 ? last[from] : first - 1;
    const i64 end = least(n, (chunk + 1) * MEASURE_CHUNK * 64);
    for (i64 t = chunk * MEASURE_CHUNK * 64; t < end; t++) {
      if (holds(mask, t)) at = t;
      out[t] = t < first ? not_a_number() : (double)(t - at);
    }
  }
}

// On how many of the last `length` bars it held; NaN before bar first + length - 1. A thread takes a word: it counts the window that ends before
// it, then slides.
KERNEL measure_count(const u64 *mask, i64 n, i64 first, i64 length, double *out) {
  for (i64 w = THREAD; w < n / 64 + 1; w += THREADS) {
    const i64 begin = w * 64, oldest = begin > length ? begin - length : 0;
    i64 held = 0;
    for (i64 v = oldest >> 6; v < w; v++) held += __popcll(v == oldest >> 6 ? mask[v] >> (oldest & 63) : mask[v]);
    for (i64 t = begin; t < least(n, begin + 64); t++) {
      held += holds(mask, t);
      if (t >= length) held -= holds(mask, t - length);
      out[t] = t < first + length - 1 ? not_a_number() : (double)held;
    }
  }
}
