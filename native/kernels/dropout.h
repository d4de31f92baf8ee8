#pragma once
#include <cstdint>

namespace distiltune::kernels {

/**
 * Which elements are dropped at one place of the network in one step. Masks come from Philox 4x32-10 (Salmon
 * et al., SC 2011) keyed by (seed, step, site) with the element's index as counter: nothing is stored,
 * backward draws the same mask again, and the mask is the same for any thread count. Draws have 16 bits, so p
 * = 0.1 is 6554 / 65536; what is kept is scaled by 1 / (1 - p).
 */
struct Dropout {
  float p = 0;  // 0 <= p < 1; 0 keeps everything and draws nothing
  uint64_t seed = 0;
  uint64_t step = 0;  // counts micro-batches, so no two draw the same mask
  uint32_t site = 0;  // place in the network
};

}  // namespace distiltune::kernels
