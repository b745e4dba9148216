/* Loops over constants that the compiler must unroll, so that small arrays of vectors live in registers. */
#ifndef GH_KERNELS_SIMD_LOOPS_H
#define GH_KERNELS_SIMD_LOOPS_H

#define ALWAYS static inline __attribute__((always_inline))

/* for i = 0 .. n-1; n is constant after inlining. */
#ifdef __clang__
#define UNROLL_FOR(i, n) _Pragma("clang loop unroll(full)") for (int i = 0; i < (n); i++)
#else
#define UNROLL_FOR(i, n) _Pragma("GCC unroll 64") for (int i = 0; i < (n); i++)
#endif

#endif
