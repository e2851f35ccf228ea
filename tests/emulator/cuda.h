// The CUDA C++ that gmpc emits, for a C++ compiler without CUDA: qualifiers, vector types, built-in variables and functions.
//
// Generated text is compiled behind this file. Fibers of `schedule.cpp` stand for the threads of a block; this file only declares.
// It includes nothing: a test compiles hundreds of kernels, and a standard header takes longer to compile than a kernel.
// A function is missing here if the generator has not used it yet. Add it as CUDA's programming guide defines it.
#pragma once
#include "thread.h"

#define __global__ __attribute__((noinline))
#define __device__ static inline
#define __host__
#define __forceinline__ __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __constant__ static const
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
// Blocks run one after the other, so all of them use one section of the program as shared memory. Each block finds a pattern there.
#define __shared__ static __attribute__((section("emulated_shared")))

extern "C" {
float sinf(float); float cosf(float); void sincosf(float, float*, float*); float tanhf(float); float expf(float);
float exp2f(float); float logf(float); float log2f(float); float log1pf(float); float expm1f(float); float sqrtf(float);
float powf(float, float); float fabsf(float); float floorf(float); float ceilf(float); float rintf(float); float truncf(float);
float fmaf(float, float, float); float fmaxf(float, float); float fminf(float, float); float erff(float);
float copysignf(float, float); float ldexpf(float, int);
double sin(double); double cos(double); void sincos(double, double*, double*); double tanh(double); double exp(double);
double exp2(double); double log(double); double log2(double); double sqrt(double); double pow(double, double);
double fabs(double); double floor(double); double ceil(double); double rint(double); double trunc(double);
double fma(double, double, double); double fmax(double, double); double fmin(double, double); double erf(double);
double copysign(double, double); double ldexp(double, int);
}

// clang-format off
#define EMULATED_VECTORS(T, NAME)                                                                                  \
    struct alignas(2 * sizeof(T)) NAME##2 { T x, y; };                                                             \
    struct NAME##3 { T x, y, z; };                                                                                 \
    struct alignas(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) NAME##4 { T x, y, z, w; };                             \
    static inline NAME##2 make_##NAME##2(T x, T y) { return {x, y}; }                                              \
    static inline NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; }                                      \
    static inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
// clang-format on
EMULATED_VECTORS(float, float)
EMULATED_VECTORS(double, double)
EMULATED_VECTORS(int, int)
EMULATED_VECTORS(unsigned, uint)
EMULATED_VECTORS(unsigned short, ushort)
EMULATED_VECTORS(unsigned char, uchar)
EMULATED_VECTORS(unsigned long long, ulonglong)

namespace emulator {

template <class T> static inline unsigned long long to_bits(T value) {
    static_assert(sizeof(T) <= 8, "a shuffle moves 8 bytes at most");
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return bits;
}

template <class T> static inline T from_bits(unsigned long long bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> struct Plain { using Type = T; };
template <class T> struct Plain<const T> { using Type = T; };
template <class T> struct IsPointer { static constexpr bool value = false; };
template <class T> struct IsPointer<T*> { static constexpr bool value = true; };
template <class T> struct IsPointer<T* const> { static constexpr bool value = true; };
template <class T> struct IsPointer<T* __restrict> { static constexpr bool value = true; };
template <class T> struct IsPointer<T* const __restrict> { static constexpr bool value = true; };

template <unsigned... I> struct Sequence {};

template <auto F> struct Call;
template <class... A, void (*F)(A...)> struct Call<F> {
    static constexpr unsigned count = sizeof...(A);
    static constexpr Parameter parameters[sizeof...(A) + 1] = {{IsPointer<A>::value, sizeof(A)}..., {false, 0}};
    template <unsigned... I> static void go(void* const* arguments, Sequence<I...>) {
        F(*static_cast<typename Plain<A>::Type*>(arguments[I])...);
    }
    static void entry(void* const* arguments) { go(arguments, Sequence<__integer_pack(sizeof...(A))...>{}); }
};

}  // namespace emulator

// Stands behind a text and registers a kernel under the name that launches use.
#define EMULATED_KERNEL(name, function)                                                                            \
    static emulator::Kernel function##_is_a_kernel(name, emulator::Call<&function>::entry,                         \
                                                   emulator::Call<&function>::parameters,                          \
                                                   emulator::Call<&function>::count);

#define threadIdx (emulator::current->index)
#define blockIdx (emulator::block_index)
#define blockDim (emulator::block_size)
#define gridDim (emulator::grid_size)
#define warpSize 32

// ---- operations in which threads wait for others; each records its line ----

#define LINE int line = __builtin_LINE()
static inline void __syncthreads(LINE) { emulator::barrier(line); }
static inline void __syncwarp(unsigned mask = ~0u, LINE) { emulator::meet(emulator::WARP_BARRIER, mask, 0, -1, line); }

template <class T> static inline T emulated_shuffle(unsigned mask, T value, int from, int line) {
    return emulator::from_bits<T>(emulator::meet(emulator::SHUFFLE, mask, emulator::to_bits(value), from, line));
}
template <class T> static inline T __shfl_sync(unsigned mask, T value, int from, int width = 32, LINE) {
    const int lane = emulator::current->lane;
    return emulated_shuffle(mask, value, (lane & ~(width - 1)) | (from & (width - 1)), line);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, LINE) {
    const int lane = emulator::current->lane, from = lane - (int)by;
    return emulated_shuffle(mask, value, from < (lane & ~(width - 1)) ? lane : from, line);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, LINE) {
    const int lane = emulator::current->lane, from = lane + (int)by;
    return emulated_shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, line);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32, LINE) {
    const int lane = emulator::current->lane, from = lane ^ with;
    return emulated_shuffle(mask, value, from > (lane | (width - 1)) ? lane : from, line);
}
static inline unsigned __ballot_sync(unsigned mask, int yes, LINE) {
    return (unsigned)emulator::meet(emulator::BALLOT, mask, yes != 0, -1, line);
}
static inline int __any_sync(unsigned mask, int yes, LINE) {
    return emulator::meet(emulator::BALLOT, mask, yes != 0, -1, line) != 0;
}
static inline int __all_sync(unsigned mask, int yes, LINE) {
    return emulator::meet(emulator::BALLOT, mask, yes != 0, -1, line) == mask;
}
static inline unsigned __activemask() { return ~0u; }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
#undef LINE

// ---- arithmetic ----

static inline float __uint_as_float(unsigned bits) { return emulator::from_bits<float>(bits); }
static inline unsigned __float_as_uint(float x) { return (unsigned)emulator::to_bits(x); }
static inline float __int_as_float(int bits) { return emulator::from_bits<float>((unsigned)bits); }
static inline int __float_as_int(float x) { return (int)emulator::to_bits(x); }
static inline double __longlong_as_double(long long bits) { return emulator::from_bits<double>(bits); }
static inline long long __double_as_longlong(double x) { return (long long)emulator::to_bits(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
static inline int __float2int_rn(float x) { return (int)rintf(x); }
static inline int __float2int_rz(float x) { return (int)x; }
static inline long long __double2ll_rn(double x) { return (long long)rint(x); }
static inline int __double2int_rn(double x) { return (int)rint(x); }
static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __frcp_rn(float x) { return 1.0f / x; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
#define __sincosf(x, s, c) sincosf(x, s, c)
template <class T> static inline T __ldg(const T* from) { return *from; }
template <class T> static inline T __ldcs(const T* from) { return *from; }
template <class T> static inline T __ldcg(const T* from) { return *from; }
template <class T> static inline void __stcs(T* to, T value) { *to = value; }
template <class T> static inline void __stcg(T* to, T value) { *to = value; }
static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isnan(double x) { return __builtin_isnan(x); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline double min(double a, double b) { return fmin(a, b); }
static inline double max(double a, double b) { return fmax(a, b); }
#define __trap() emulator::trap(__LINE__)
#define assert(yes) ((yes) ? (void)0 : emulator::trap(__LINE__))
