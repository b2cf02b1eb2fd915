// Types and helpers of every kernel. It compiles in two environments: NVRTC (device, C++17, no includes, no FMA contraction)
// and a host C++ compiler through host/shim.h, which builds the same sources for tests on machines without a GPU.
//
// Kernels are grid-stride loops: thread THREAD of THREADS takes items THREAD, THREAD + THREADS, ... so that a result never
// depends on the launch shape. All arithmetic is float64 in the written order; a < b ? a : b, never fmin.
typedef long long i64;
typedef unsigned long long u64;

#ifndef GPUBT_HOST
#define WARP 32
template <class F> __device__ __forceinline__ unsigned ballot(F bit) { return __ballot_sync(0xffffffffu, bit((int)(threadIdx.x & 31))); }
#endif
#define THREAD (blockIdx.x * (i64)blockDim.x + threadIdx.x)
#define THREADS (gridDim.x * (i64)blockDim.x)
#define FN __device__ __forceinline__
#define KERNEL extern "C" __global__ void

FN double lesser(double a, double b) { return b < a ? b : a; }
FN double larger(double a, double b) { return b > a ? b : a; }
FN i64 least(i64 a, i64 b) { return b < a ? b : a; }
FN double infinity() { const double big = 1e300; return big * big; }
FN double not_a_number() { return __longlong_as_double(0x7ff8000000000000ll); }
