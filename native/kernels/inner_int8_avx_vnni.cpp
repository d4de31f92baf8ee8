#include "int8_ymm.h"

namespace distiltune::kernels {
namespace {

using Sums = __m256i;
// An instruction takes four or five cycles: eight or more sums at a time keep it busy.
constexpr int sum_lanes = 8, vectors = 2;
inline Sums no_sums() { return _mm256_setzero_si256(); }
inline __m256i weights(const int8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
inline Sums dot(Sums total, __m256i left, __m256i right) {
  return _mm256_dpbusd_avx_epi32(total, left, right);
}

}  // namespace
}  // namespace distiltune::kernels

#include "int8_dot_tile.h"
#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_avx_vnni;
const InnerInt8 inner_int8_avx_vnni = {Int8Isa::avx_vnni, panel_columns, multiply};

}  // namespace distiltune::kernels
