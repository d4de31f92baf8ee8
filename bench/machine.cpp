// One line of JSON a round: what the registers and the memory allow in this minute.
//   bench_machine [threads]    a line on standard input asks for a round; the end of it ends the program
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernels/inner.h"
#include "kernels/strips.h"
#include "peaks.h"

using namespace distiltune;

namespace {

/** GFLOP/s of a tile of our products in fp32 on operands in the first-level cache, median of rounds. Where a core's other thread works for
 * somebody else, loads and what is taken in a cycle are shared with it, which loops on registers alone do not notice. */
double tile_rate(kernels::ThreadPool& pool) {
  const kernels::Inner& loops = kernels::inner();
  constexpr int64_t depth = 96, times = 4000;
  const int64_t columns = 4 * loops.width, tasks = 8 * pool.threads();
  const double seconds = bench::median_seconds(pool, 12, [&](int) {
    pool.run(tasks, [&](int64_t) {
      std::vector<float> a(kernels::tile_rows * depth, 0.5f), b(depth * columns, 0.5f), c(kernels::tile_rows * columns);
      for (int64_t time = 0; time < times; ++time)
        loops.multiply(a.data(), depth, b.data(), c.data(), columns, kernels::tile_rows, columns, depth, kernels::Store::overwrite, nullptr, {});
    });
  });
  return 2e-9 * static_cast<double>(kernels::tile_rows * columns * depth * times * tasks) / seconds;
}

}  // namespace

int main(int arguments, char** argument) {
  kernels::ThreadPool pool(arguments > 1 ? std::atoi(argument[1]) : 0);
  const bench::Loops loops = bench::loops();
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n') continue;
    const bench::MemoryRates memory = bench::memory_rates(pool);
    std::printf(
        "{\"isa\":\"%s\",\"threads\":%d,\"fp32\":%.1f,\"tile\":%.1f,\"bf16\":%.1f,\"int8\":%.1f,\"read\":%.1f,\"copy\":%.1f}\n",
        kernels::name(kernels::isa()), pool.threads(), bench::rate_of(pool, loops.fp32), tile_rate(pool),
        bench::rate_of(pool, loops.bf16), bench::rate_of(pool, loops.int8), memory.read, memory.copy);
    std::fflush(stdout);
  }
  return 0;
}
