#pragma once
#include "inner.h"
#include "over_vector.h"

namespace distiltune::kernels {
namespace {

// Counters lie in 64-bit lanes, the even and the odd ones of a block apart: so each product of a round is one
// instruction.
void philox(const uint32_t key[2], const uint32_t stream[2], uint64_t first_block, int64_t blocks,
            uint16_t* draws) {
  constexpr int parts = 16 / width;  // registers for the even counters of a block
  const Lanes factor0 = lanes(0xD2511F53), factor1 = lanes(0xCD9E8D57);
  for (int64_t block = 0; block < blocks; ++block, draws += 128) {
    const uint64_t counter = (first_block + block) * 16;
    Lanes words[2 * parts][4];
    for (int i = 0; i < 2 * parts; ++i) {
      words[i][0] = add(lanes((counter & 0xffffffff) + i / 2 * width + i % 2), even_lanes());
      words[i][1] = lanes(counter >> 32);
      words[i][2] = lanes(stream[0]);
      words[i][3] = lanes(stream[1]);
    }
    uint32_t key0 = key[0], key1 = key[1];
    for (int round = 0; round < 10; ++round, key0 += 0x9E3779B9, key1 += 0xBB67AE85) {
      for (auto& word : words) {
        const Lanes product0 = product(factor0, word[0]), product1 = product(factor1, word[2]);
        word[0] = differ(upper(product1), word[1], lanes(key0));
        word[1] = product1;
        word[2] = differ(upper(product0), word[3], lanes(key1));
        word[3] = product0;
      }
    }
    for (int part = 0; part < parts; ++part) {
      for (int i = 0; i < 4; ++i) {
        store_pairs(draws + i * 32 + part * 2 * width, words[2 * part][i], words[2 * part + 1][i]);
      }
    }
  }
}

/** dropout(value) by the draws from i on. */
inline Vec dropped(Vec value, const DropoutDraws& draws, int64_t i) {
  const Vec scaled = mul(value, set(draws.scale));
  return draws.draws ? select(kept(draws.draws + i, draws.threshold), scaled, zero()) : scaled;
}

void drop(const float* x, const DropoutDraws& draws, float* y, int64_t n) {
  over(n, [&](int64_t i, auto lane) { lane.put(y + i, dropped(lane.get(x + i), draws, i)); });
}

}  // namespace
}  // namespace distiltune::kernels
