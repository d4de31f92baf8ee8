#pragma once
// What the registers and the memory of this machine allow, for bench/kernels.cpp and bench/machine.cpp: the ceilings that
// rates are held against. All figures are the best of several short rounds, since anything else that runs takes away from them.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <vector>

#include "kernels/cpu_features.h"
#include "kernels/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace distiltune::bench {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Seconds this thread has had of a processor: what is left of a measurement on one thread where others work beside it. */
inline double thread_now() {
#if defined(__linux__)
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
#else
  return now();
#endif
}

/** One thread is measured by its own time, several by the clock on the wall. */
inline double now(const kernels::ThreadPool& pool) { return pool.threads() == 1 ? thread_now() : now(); }

/** Of `rounds` calls with their number, after one that does not count. */
template <typename Call>
inline double median_seconds(const kernels::ThreadPool& pool, int rounds, const Call& call) {
  call(0);
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const double start = now(pool);
    call(round);
    times.push_back(now(pool) - start);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

#if defined(__x86_64__)
// As many sums as a tile of the product has, which depend on nothing but themselves: 12 under AVX2, 24 under AVX-512. Two units that take
// six cycles, as Zen 5's for bf16, need 12 to be busy and more to be always busy. `Vec` is what sums are made of, `a` and `b` what is multiplied.
#define DISTILTUNE_PEAK(name, isa, sums, Vec, step, start, operations_of_a_step)               \
  __attribute__((target(isa), noinline)) inline double name(int64_t steps, float* sink) {      \
    Vec s[sums];                                                                               \
    _Pragma("GCC unroll 32") for (Vec & each : s) each = start;                                \
    Vec a = start, b = start;                                                                  \
    __asm__ volatile("" : "+v"(a), "+v"(b));                                                   \
    for (int64_t i = 0; i < steps; ++i) {                                                      \
      _Pragma("GCC unroll 32") for (int at = 0; at < sums; ++at) {                             \
        s[at] = step(s[at], a, b);                                                             \
        __asm__ volatile("" : "+v"(s[at]));                                                    \
      }                                                                                        \
    }                                                                                          \
    Vec total = s[0];                                                                          \
    _Pragma("GCC unroll 32") for (int at = 1; at < sums; ++at) total = total + s[at];          \
    std::memcpy(sink, &total, sizeof *sink);                                                   \
    return static_cast<double>(operations_of_a_step) * sums * static_cast<double>(steps);      \
  }
#define DISTILTUNE_FMA512(s, a, b) _mm512_fmadd_ps(s, a, b)
#define DISTILTUNE_FMA256(s, a, b) _mm256_fmadd_ps(s, a, b)
#define DISTILTUNE_BF16(s, a, b) _mm512_dpbf16_ps(s, (__m512bh)(a), (__m512bh)(b))
#define DISTILTUNE_VNNI(s, a, b) _mm512_dpbusd_epi32(s, a, b)
// Without VNNI eight bits are multiplied into sixteen, added by pairs, widened and added. The compiler may not see
// that every step has the same product.
#define DISTILTUNE_MADDUBS(s, a, b)                                                                       \
  ({                                                                                                      \
    __m256i left = a;                                                                                     \
    __asm__ volatile("" : "+x"(left));                                                                    \
    _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(left, b), _mm256_set1_epi16(1)));          \
  })
DISTILTUNE_PEAK(peak_fp32_512, "avx512f", 24, __m512, DISTILTUNE_FMA512, _mm512_set1_ps(0.5f), 2 * 16)
DISTILTUNE_PEAK(peak_fp32_256, "avx2,fma", 12, __m256, DISTILTUNE_FMA256, _mm256_set1_ps(0.5f), 2 * 8)
DISTILTUNE_PEAK(peak_bf16_512, "avx512f,avx512bf16", 24, __m512, DISTILTUNE_BF16, _mm512_setzero_ps(), 2 * 32)
DISTILTUNE_PEAK(peak_int8_512, "avx512f,avx512vnni", 24, __m512i, DISTILTUNE_VNNI, _mm512_setzero_si512(), 2 * 64)
DISTILTUNE_PEAK(peak_int8_256, "avx2", 12, __m256i, DISTILTUNE_MADDUBS, _mm256_setzero_si256(), 2 * 32)
#endif

using Loop = double (*)(int64_t steps, float* sink);

/** Operations per second of a loop on all threads, in 1e9; 0 without a loop. */
inline double rate_of(kernels::ThreadPool& pool, Loop loop) {
  if (!loop) return 0;
  const int64_t steps = 1 << 17;
  const int tasks = 8 * pool.threads();
  std::vector<float> sinks(tasks);
  std::vector<double> operations(tasks);
  double best = 0;
  for (int round = 0; round < 12; ++round) {
    const double start = now(pool);
    pool.run(tasks, [&](int64_t task) { operations[task] = loop(steps, &sinks[task]); });
    double total = 0;
    for (const double each : operations) total += each;
    best = std::max(best, total / (now(pool) - start));
  }
  return best / 1e9;
}

/** Loops of this machine; null where it has no such instructions. */
struct Loops {
  Loop fp32 = nullptr, bf16 = nullptr, int8 = nullptr;
};

inline Loops loops() {
  Loops found;
#if defined(__x86_64__)
  const bool avx512 = kernels::isa() == kernels::Isa::avx512;
  if (kernels::isa() == kernels::Isa::scalar) return found;
  found.fp32 = avx512 ? peak_fp32_512 : peak_fp32_256;
  if (avx512 && __builtin_cpu_supports("avx512bf16")) found.bf16 = peak_bf16_512;
  found.int8 = avx512 && __builtin_cpu_supports("avx512vnni") ? peak_int8_512 : peak_int8_256;
#endif
  return found;
}

/** GB/s over 256 MiB a thread, far beyond any cache: reading alone, and reading one half while writing the other. */
struct MemoryRates {
  double read, copy;
};

inline MemoryRates memory_rates(kernels::ThreadPool& pool) {
  const int64_t part = int64_t{64} << 18, parts = 4 * pool.threads();  // 64 MiB a task
  std::vector<uint64_t> memory(static_cast<size_t>(part / 2 * parts), 1);
  const int64_t words = part / 2;
  std::vector<uint64_t> sums(parts);
  const auto best = [&](const auto& task, double bytes) {
    double rate = 0;
    for (int round = 0; round < 4; ++round) {
      const double start = now(pool);
      pool.run(parts, task);
      rate = std::max(rate, bytes / (now(pool) - start));
    }
    return rate / 1e9;
  };
  const double bytes = 8.0 * static_cast<double>(words * parts);
  const double read = best(
      [&](int64_t task) {
        uint64_t lanes[16] = {};
        const uint64_t* from = memory.data() + task * words;
        for (int64_t at = 0; at + 16 <= words; at += 16) {
          for (int lane = 0; lane < 16; ++lane) lanes[lane] += from[at + lane];
        }
        uint64_t sum = 0;
        for (const uint64_t lane : lanes) sum += lane;
        sums[task] = sum;
      },
      bytes);
  const double copy = best(
      [&](int64_t task) {
        uint64_t* from = memory.data() + task * words;
        std::memcpy(from + words / 2, from, static_cast<size_t>(words / 2) * 8);
      },
      bytes);
  return {read, copy};
}

}  // namespace distiltune::bench
