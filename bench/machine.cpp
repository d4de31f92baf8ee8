// One line of JSON a round: what the registers and the memory allow in this minute.
//   bench_machine [threads]    a line on standard input asks for a round; the end of it ends the program
#include <cstdio>
#include <cstdlib>

#include "peaks.h"

int main(int arguments, char** argument) {
  using namespace distiltune;
  kernels::ThreadPool pool(arguments > 1 ? std::atoi(argument[1]) : 0);
  const bench::Loops loops = bench::loops();
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n') continue;
    const bench::MemoryRates memory = bench::memory_rates(pool);
    std::printf(
        "{\"isa\":\"%s\",\"threads\":%d,\"fp32\":%.1f,\"bf16\":%.1f,\"int8\":%.1f,\"read\":%.1f,\"copy\":%.1f}\n",
        kernels::name(kernels::isa()), pool.threads(), bench::rate_of(pool, loops.fp32), bench::rate_of(pool, loops.bf16),
        bench::rate_of(pool, loops.int8), memory.read, memory.copy);
    std::fflush(stdout);
  }
  return 0;
}
