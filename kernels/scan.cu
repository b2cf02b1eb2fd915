// Signal masks: bar t is bit t & 63 of word t >> 6. The codes are those of gpubt/strategy/program.py (a test compares them).
// Each kernel makes the masks of `members` programs of one structure at once; the masks of a member are `stride` words after those of the one before.
enum { OP_LOAD, OP_CONST, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_NEG, OP_ABS, OP_MAX, OP_MIN, OP_GT, OP_GE, OP_LT, OP_LE, OP_EQ, OP_NE, OP_VALID };
enum { MASK_AND, MASK_OR, MASK_ANDNOT, MASK_NOT, MASK_SHIFT, MASK_LATCH };

// Rows (opcode, argument, shift) from `code` to the first comparison, for bar t < n: whether it holds.
FN bool compared(const i64 *code, const double *constants, const double *const *series, i64 t) {
  double stack[8];
  int top = -1;
  for (;; code += 3) {
    double b = top >= 0 ? stack[top] : 0.0, a = top >= 1 ? stack[top - 1] : 0.0;
    switch (code[0]) {
      case OP_LOAD: stack[++top] = t >= code[2] ? series[code[1]][t - code[2]] : not_a_number(); break;
      case OP_CONST: stack[++top] = constants[code[1]]; break;
      case OP_ADD: stack[--top] = a + b; break;
      case OP_SUB: stack[--top] = a - b; break;
      case OP_MUL: stack[--top] = a * b; break;
      case OP_DIV: stack[--top] = a / b; break;
      case OP_NEG: stack[top] = -b; break;
      case OP_ABS: stack[top] = __longlong_as_double(__double_as_longlong(b) & 0x7fffffffffffffffll); break;  // also of -0.0
      case OP_MAX: stack[--top] = a < b ? b : a >= b ? a : not_a_number(); break;
      case OP_MIN: stack[--top] = b < a ? b : b >= a ? a : not_a_number(); break;
      case OP_GT: return a > b;
      case OP_GE: return a >= b;
      case OP_LT: return a < b;
      case OP_LE: return a <= b;
      case OP_EQ: return a == b;
      case OP_NE: return a != b;
      default: return b == b;
    }
  }
}

// masks[member * stride + output * words + w]: one warp a word, in two ballots, for each comparison of the program in turn. `constants` and `series`
// have `leaves` entries a member. Neighbouring warps take one word of all members, which mostly read the same series.
KERNEL scan_compare(const i64 *code, i64 rows, const double *constants, const double *const *series, i64 leaves, i64 n, i64 members, i64 stride,
                    u64 *masks) {
  const i64 words = n / 64 + 1;
  for (i64 item = THREAD / WARP; item < words * members; item += THREADS / WARP) {
    const i64 w = item / members, g = item % members;
    const double *mine = constants + g * leaves, *const *own = series + g * leaves;
    i64 from = 0;
    for (i64 row = 0; row < rows; row++) {
      if (code[3 * row] < OP_GT) continue;
      const i64 *part = code + 3 * from;
      auto half = [=](i64 t) { return ballot([=](int lane) { return t + lane < n && compared(part, mine, own, t + lane); }); };
      const u64 word = half(64 * w) | (u64)half(64 * w + 32) << 32;
      if (THREAD % WARP == 0) masks[g * stride + code[3 * row + 1] * words + w] = word;
      from = row + 1;
    }
  }
}

// Word w of the mask k bars later: zeros enter.
FN u64 moved(const u64 *mask, i64 w, i64 k) {
  const i64 at = w - (k >> 6);
  const int part = (int)(k & 63);
  const u64 high = at >= 0 ? mask[at] << part : 0;
  return at > 0 && part ? high | mask[at - 1] >> (64 - part) : high;
}

// out = a op (b << k), or the operation on a alone; bits from n on are 0. The masks of `out` have a stride of their own.
KERNEL scan_combine(i64 op, const u64 *a, const u64 *b, i64 k, i64 n, i64 members, i64 stride, i64 out_stride, u64 *out) {
  const i64 words = n / 64 + 1;
  for (i64 item = THREAD; item < words * members; item += THREADS) {
    const i64 w = item % words, g = item / words;
    const u64 *x = a + g * stride, *y = b + g * stride;
    u64 word;
    switch (op) {
      case MASK_AND: word = x[w] & moved(y, w, k); break;
      case MASK_OR: word = x[w] | moved(y, w, k); break;
      case MASK_ANDNOT: word = x[w] & ~moved(y, w, k); break;
      case MASK_NOT: word = ~x[w]; break;
      default: word = moved(x, w, k);
    }
    out[g * out_stride + w] = w == words - 1 ? word & ((1ull << (n & 63)) - 1) : word;
  }
}

// A latch is a flip-flop along the bars, which b sets and a resets. Words are taken in chunks of LATCH_CHUNK, one thread a chunk: first
// what each chunk leaves behind, then, from the last chunk before it that leaves anything, the states inside.
const i64 LATCH_CHUNK = 32, LEFT_RESET = 0, LEFT_SET = 1, LEFT_AS_BEFORE = 2;

// left[member * chunks + chunk]: the state after the chunk, which its last bit in a or b << k decides.
KERNEL scan_latch_left(const u64 *a, const u64 *b, i64 k, i64 n, i64 members, i64 stride, i64 *left) {
  const i64 words = n / 64 + 1, chunks = (words + LATCH_CHUNK - 1) / LATCH_CHUNK;
  for (i64 item = THREAD; item < chunks * members; item += THREADS) {
    const i64 chunk = item % chunks, at = item / chunks * stride;
    i64 state = LEFT_AS_BEFORE;
    for (i64 w = least(words, (chunk + 1) * LATCH_CHUNK) - 1; w >= chunk * LATCH_CHUNK && state == LEFT_AS_BEFORE; w--) {
      const u64 set = moved(b + at, w, k), reset = a[at + w] & ~set;
      if (set | reset) state = set > reset ? LEFT_SET : LEFT_RESET;  // the larger has the last bit
    }
    left[item] = state;
  }
}

// out = a where the state before the bar is set. It is the carry into the bit when `keep` and `set` are added: two ones make a carry, two zeros
// end it, a one and a zero pass it on.
KERNEL scan_latch(const u64 *a, const u64 *b, i64 k, i64 n, i64 members, i64 stride, const i64 *left, i64 out_stride, u64 *out) {
  const i64 words = n / 64 + 1, chunks = (words + LATCH_CHUNK - 1) / LATCH_CHUNK;
  for (i64 item = THREAD; item < chunks * members; item += THREADS) {
    const i64 chunk = item % chunks, g = item / chunks, first = item - chunk;
    i64 from = item - 1;
    while (from >= first && left[from] == LEFT_AS_BEFORE) from--;
    u64 carry = from >= first && left[from] == LEFT_SET;
    const u64 *x = a + g * stride, *y = b + g * stride;
    const i64 end = least(words, (chunk + 1) * LATCH_CHUNK);
    for (i64 w = chunk * LATCH_CHUNK; w < end; w++) {
      const u64 set = moved(y, w, k), keep = ~x[w] | set, total = keep + set + carry;
      const u64 word = x[w] & (keep ^ set ^ total);
      carry = ((keep & set) | ((keep | set) & ~total)) >> 63;
      out[g * out_stride + w] = w == words - 1 ? word & ((1ull << (n & 63)) - 1) : word;
    }
  }
}
