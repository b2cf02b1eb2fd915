// Types and helpers of every kernel. It compiles in two environments: NVRTC (device, C++17, no includes, no FMA contraction)
// and a host C++ compiler through host/shim.h, which builds the same sources for tests on machines without a GPU.
//
// Kernels are grid-stride loops: thread THREAD of THREADS takes items THREAD, THREAD + THREADS, ... so that a result never
// depends on the launch shape. All arithmetic is float64 in the written order; a < b ? a : b, never fmin.
typedef long long i64;
typedef unsigned long long u64;

#define FN __device__ __forceinline__
#ifndef GPUBT_HOST
#define WARP 32
#define DEVICE __device__ __noinline__  // called from several places: with all of them inlined NVRTC takes 20 s, not 6
template <class F> FN unsigned ballot(F bit) { return __ballot_sync(0xffffffffu, bit((int)(threadIdx.x & 31))); }
// What the 32 lanes of a warp do before any of them goes on, a variable that each has for itself, and an array of doubles that they share.
template <class F> FN void lanes(F work) { work((int)(threadIdx.x & 31)); __syncwarp(); }
template <class T> struct OfLane { T own; FN T &operator[](int) { return own; } };
#define OF_WARP(name, size) __shared__ double name##_all[WARPS][size]; double *const name = name##_all[threadIdx.x / WARP]
#endif
const int WARP_LANES = 32, WARPS = 8;  // of a warp; of a block at most (gpubt/backends/cupy_runtime.py)
#define THREAD (blockIdx.x * (i64)blockDim.x + threadIdx.x)
#define THREADS (gridDim.x * (i64)blockDim.x)
#define KERNEL extern "C" __global__ void

FN double lesser(double a, double b) { return b < a ? b : a; }
FN double larger(double a, double b) { return b > a ? b : a; }
FN i64 least(i64 a, i64 b) { return b < a ? b : a; }
FN double infinity() { const double big = 1e300; return big * big; }
FN double not_a_number() { return __longlong_as_double(0x7ff8000000000000ll); }

// The records of gpubt/simulate/layout.py, field by field (a test compares them).
struct Params { double capital, size_value, max_leverage, lot, commission_rate, commission_per_unit, commission_fixed, commission_minimum, slippage_rate, slippage_points, slippage_atr, carry_long, carry_short, maintenance, stop_value, target_value, trail_value, trail_activation, even_value, even_plus, order_value, limit_value; i64 size_kind, stop_kind, target_kind, trail_kind, even_kind, anchor, max_bars, entry_at, exit_at, time_at, same_bar, on_opposite, cooldown, max_open, order, order_kind, limit_kind, valid_bars, pyramiding, rungs, liquidate, beyond_stop, reentry, gap_at_level, exposed_later, trail_same_bar, end_free; };
struct Rung { double value, share; i64 kind, rest; };
struct Entry { double stop_value, target_value, size; i64 bar, side, stop_kind, target_kind; };
struct Trade { double entry_price, exit_price, units, entry_fees, fees, accrued, shortfall, pnl, pnl_pct, r_multiple, mae, mfe; i64 entry_bar, exit_bar, side, reason, ambiguous, position, leg; };
struct Tally { double final_equity, gross_profit, gross_loss, fees, accrued, shortfall, notional, best, worst, sum_return, sum_square, sum_downside, drawdown; i64 trades, wins, losses, bars_held, exposed, ambiguous, drawdown_start, drawdown_end, hash; };

// Codes of gpubt/simulate/layout.py.
enum { LONG, SHORT };
enum { SIGNAL = 1, STOP, TARGET, TRAILING, BREAK_EVEN, TIME, SESSION, LIQUIDATION, END_OF_DATA };
enum { NO_EQUITY, NAN_LEVEL, WRONG_SIDE, ZERO_RISK, ZERO_SIZE, AT_END, MAX_OPEN, BLACKOUT, AT_SESSION_END, EXPIRED, REPLACED, CANCELLED };
enum { AT_OPEN, AT_CLOSE };
enum { IGNORE, CLOSE, REVERSE };
enum { ANCHOR_FILL, ANCHOR_SIGNAL_CLOSE };
enum { STOP_FIRST, TARGET_FIRST, OHLC, OLHC, ADAPTIVE };
enum { NONE, PCT, OFFSET, ATR, R_MULTIPLE, PRICE, RULE };
enum { PERCENT_EQUITY, FIXED_UNITS, FIXED_CASH, RISK_PERCENT };
enum { MARKET, LIMIT, STOP_ORDER, STOP_LIMIT };

const int SKIPS = CANCELLED + 1;
const i64 NEVER = 1ll << 62;

// What kernels read of a market, filled from a table of addresses in the order of layout.TABLE; a null pointer is not there.
struct Prices {
  const double *open, *high, *low, *close, *low0, *high0, *bottom0, *top0, *low1, *high1, *bottom1, *top1;
  const i64 *finer_first;
  const double *finer_open, *finer_high, *finer_low, *finer_close;
  const u64 *long_entry, *long_exit, *short_entry, *short_exit, *session, *blackout;
  const double *atr, *long_stop, *short_stop, *long_target, *short_target, *long_order, *short_order, *long_limit, *short_limit;
  const double *low8, *high8, *low512, *high512;
  i64 n;
};
const int TABLE = 36;
static_assert(sizeof(Prices) == (TABLE + 1) * 8, "Prices is filled as an array of addresses");
FN Prices prices(const u64 *table, i64 n) {
  Prices x;
  const void **column = (const void **)&x;
  for (int i = 0; i < TABLE; i++) column[i] = (const void *)table[i];
  x.n = n;
  return x;
}
