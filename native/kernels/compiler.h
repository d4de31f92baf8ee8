#pragma once

#if defined(_MSC_VER)
#define DISTILTUNE_NOINLINE __declspec(noinline)
#else
#define DISTILTUNE_NOINLINE __attribute__((noinline))
#endif

// Before a loop over an array of vectors that is to lie in registers. gcc 12 unrolls such loops by itself,
// but so late that the array stays in memory: each sum is stored in each turn.
#if defined(__clang__)
#define DISTILTUNE_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define DISTILTUNE_UNROLL _Pragma("GCC unroll 16")
#else
#define DISTILTUNE_UNROLL
#endif
