#include "compiler.h"
#include "int8_ymm.h"

namespace distiltune::kernels {
namespace {

// An instruction takes four or five cycles: eight or more sums at a time keep it busy.
constexpr int64_t panel_columns = 16;  // two vectors

template <int rows>
DISTILTUNE_NOINLINE void tile(const uint8_t* a, int64_t a_stride, const int8_t* packed, int64_t depth,
                              const Int8Scales& scales, int64_t row, int64_t column, float* y,
                              int64_t y_stride, int64_t columns) {
  __m256i total[rows][2];
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = _mm256_setzero_si256();
  const auto* w = reinterpret_cast<const __m256i*>(packed);
  for (int64_t p = 0; p < depth; p += 4, w += 2) {
    const __m256i right[2] = {_mm256_loadu_si256(w), _mm256_loadu_si256(w + 1)};
    DISTILTUNE_UNROLL
    for (int r = 0; r < rows; ++r) {
      const __m256i left = four_bytes(a + r * a_stride + p);
      total[r][0] = _mm256_dpbusd_avx_epi32(total[r][0], left, right[0]);
      total[r][1] = _mm256_dpbusd_avx_epi32(total[r][1], left, right[1]);
    }
  }
  __m256i sums[rows][2];  // in memory: a loop that is not unrolled may walk it
  DISTILTUNE_UNROLL
  for (int r = 0; r < rows; ++r) {
    sums[r][0] = total[r][0];
    sums[r][1] = total[r][1];
  }
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < 2 && 8 * v < columns; ++v)
      store(sums[r][v], scales, row + r, column + 8 * v, y + r * y_stride + 8 * v, columns - 8 * v);
  }
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx_vnni;
const InnerInt8 inner_int8_avx_vnni = {Int8Isa::avx_vnni, panel_columns, multiply};

}  // namespace distiltune::kernels
