#include "philox.h"

#include <cmath>

namespace distiltune::kernels {

DropoutDraws draw(const Dropout& dropout, uint64_t first, int64_t count) {
  if (dropout.p <= 0) return {nullptr, 0, 1};
  const uint64_t block = first / draws_per_block;
  const int64_t skipped = static_cast<int64_t>(first % draws_per_block);
  const int64_t blocks = (skipped + count + draws_per_block - 1) / draws_per_block;
  // One block more than is drawn: vector loops read past the last element.
  auto* draws = reinterpret_cast<uint16_t*>(scratch(Scratch::draws, (blocks + 1) * draws_per_block / 2));
  const uint32_t key[2] = {static_cast<uint32_t>(dropout.seed), static_cast<uint32_t>(dropout.seed >> 32)};
  // The upper half of the 128-bit counter: the step's low word and, sharing the other, its high bits and the
  // site.
  const uint32_t stream[2] = {static_cast<uint32_t>(dropout.step),
                              static_cast<uint32_t>(dropout.step >> 32) << 16 ^ dropout.site};
  inner().philox(key, stream, block, blocks, draws);
  const auto threshold = static_cast<uint32_t>(std::lround(static_cast<double>(dropout.p) * 65536));
  return {draws + skipped, threshold < 65535 ? threshold : 65535, 1 / (1 - dropout.p)};
}

}  // namespace distiltune::kernels
