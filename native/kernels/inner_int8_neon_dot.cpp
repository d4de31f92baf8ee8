#include "int8_neon.h"

namespace distiltune::kernels {
namespace {

using Sums = int32x4_t;
constexpr int sum_lanes = 4, vectors = 4;  // tiles of six rows take 24 of the 32 registers
inline Sums no_sums() { return vdupq_n_s32(0); }
inline int8x16_t weights(const int8_t* from) { return vld1q_s8(from); }
inline Sums dot(Sums total, int8x16_t left, int8x16_t right) { return vdotq_s32(total, right, left); }

}  // namespace
}  // namespace distiltune::kernels

#include "int8_dot_tile.h"
#include "int8_tiles.h"

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_neon_dot;
const InnerInt8 inner_int8_neon_dot = {Int8Isa::neon_dot, panel_columns, multiply};

}  // namespace distiltune::kernels
