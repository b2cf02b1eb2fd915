// Test instrument: lets a host C++ compiler build the CUDA sources as they are. A host warp is one thread wide, and ballot() and lanes()
// ask all 32 lanes in turn. `launch` plays a grid as loops, with the arguments packed as cuLaunchKernel packs them.
#include <cmath>
#include <cstring>
#include <utility>
#define GPUBT_HOST
#define WARP 1
#define __global__
#define __device__
#define DEVICE inline
#define __forceinline__ inline
#define __ffsll __builtin_ffsll
#define __popcll __builtin_popcountll
struct Dim { unsigned x; };
static thread_local Dim blockIdx, blockDim, threadIdx, gridDim;
inline double __longlong_as_double(long long bits) { double x; std::memcpy(&x, &bits, 8); return x; }
inline long long __double_as_longlong(double x) { long long bits; std::memcpy(&bits, &x, 8); return bits; }
inline unsigned long long atomicAdd(unsigned long long *at, unsigned long long x) { *at += x; return *at - x; }
template <class F> inline unsigned ballot(F bit) {
  unsigned m = 0;
  for (int k = 0; k < 32; k++) m |= (unsigned)(bit(k) ? 1 : 0) << k;
  return m;
}
template <class F> inline void lanes(F work) {
  for (int k = 0; k < 32; k++) work(k);
}
template <class T> struct OfLane {
  T own[32];
  T &operator[](int lane) { return own[lane]; }
};
#define OF_WARP(name, size) double name[size] = {}

template <class... P, std::size_t... I>
void launch_with(void (*kernel)(P...), unsigned grid, unsigned block, void **args, std::index_sequence<I...>) {
  gridDim.x = grid, blockDim.x = block;
  for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
    for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++) kernel(*(P *)args[I]...);
}
template <class... P> void launch(void (*kernel)(P...), unsigned grid, unsigned block, void **args) {
  launch_with(kernel, grid, block, args, std::index_sequence_for<P...>{});
}
// One line a kernel follows the sources in the generated translation unit.
#define LAUNCHER(name) \
  extern "C" void run_##name(unsigned grid, unsigned block, void **args) { launch(name, grid, block, args); }
