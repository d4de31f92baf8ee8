#pragma once
#include <cstdint>

// How the rows of a product are cut into tiles. Internal linkage for the reason given in vector_avx512.h.

namespace distiltune::kernels {
namespace {

constexpr int64_t tile_rows = 6;

/** Rows of the next tile where `left` are left: the last two share what is more than one and less than two.
 */
inline int64_t strip_rows(int64_t left) {
  return left <= tile_rows ? left : left < 2 * tile_rows ? (left + 1) / 2 : tile_rows;
}

}  // namespace
}  // namespace distiltune::kernels
