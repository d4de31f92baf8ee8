#pragma once
#include <cstdint>

#include "dropout.h"
#include "inner.h"
#include "scratch.h"

namespace distiltune::kernels {

// Element e takes 16 bits of block e / 128. A block is 16 Philox counters side by side, as a vector machine
// computes them: half e % 2 of word (e % 128) / 32 of counter 16 * (e / 128) + e % 32 / 2.
inline constexpr int64_t draws_per_block = 128;

/** Draws for elements [first, first + count) in this thread's scratch memory, valid until the thread draws
 * again. */
DropoutDraws draw(const Dropout& dropout, uint64_t first, int64_t count);

/** Draws of the elements from `offset` on. */
inline DropoutDraws operator+(const DropoutDraws& draws, int64_t offset) {
  return {draws.draws ? draws.draws + offset : nullptr, draws.threshold, draws.scale};
}

}  // namespace distiltune::kernels
