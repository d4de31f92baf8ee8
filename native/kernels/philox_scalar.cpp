#include "inner_scalar.h"

namespace distiltune::kernels::scalar {

void philox(const uint32_t key[2], const uint32_t stream[2], uint64_t first, int64_t blocks,
            uint16_t* draws) {
  for (int64_t block = 0; block < blocks; ++block) {
    for (uint64_t lane = 0; lane < 16; ++lane) {
      const uint64_t counter = (first + block) * 16 + lane;
      uint32_t word[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), stream[0],
                          stream[1]};
      uint32_t key0 = key[0], key1 = key[1];
      for (int round = 0; round < 10; ++round) {
        const uint64_t product0 = uint64_t{0xD2511F53} * word[0], product1 = uint64_t{0xCD9E8D57} * word[2];
        word[0] = static_cast<uint32_t>(product1 >> 32) ^ word[1] ^ key0;
        word[1] = static_cast<uint32_t>(product1);
        word[2] = static_cast<uint32_t>(product0 >> 32) ^ word[3] ^ key1;
        word[3] = static_cast<uint32_t>(product0);
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
      }
      for (int i = 0; i < 4; ++i) {
        draws[block * 128 + i * 32 + lane * 2] = static_cast<uint16_t>(word[i]);
        draws[block * 128 + i * 32 + lane * 2 + 1] = static_cast<uint16_t>(word[i] >> 16);
      }
    }
  }
}

void drop(const float* x, const DropoutDraws& draws, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    y[i] = draws.draws && draws.draws[i] < draws.threshold ? 0 : x[i] * draws.scale;
}

}  // namespace distiltune::kernels::scalar
