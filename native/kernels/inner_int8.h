#pragma once
#include <cstdint>

#include "ahead.h"
#include "cpu_features.h"

namespace distiltune::kernels {

/** How whole numbers become the results of a product: y = row_scale * column_scale * (sum - zero *
 * column_sum)
 * + bias, rounded after each of the three operations on floats. */
struct Int8Scales {
  const float* row_scales;
  const int32_t* zeros;        // of the rows
  const float* column_scales;  // these three are padded as the columns are
  const int32_t* column_sums;  // of the weights
  const float* bias;
};

/** Inner loops of one thread, once per instruction set that multiplies bytes; see inner.h. */
struct InnerInt8 {
  Int8Isa isa;
  /** Packed columns are padded with zeros to a multiple of this. They lie (columns / panel, depth / 4, panel,
   * 4). */
  int64_t panel;
  /** y (rows, columns) from a (rows, depth), row stride a_stride, and packed weights; depth is a multiple of
   * 16. `ahead` lies behind the last of these weights. */
  void (*multiply)(const uint8_t* a, int64_t a_stride, const int8_t* packed, const Int8Scales& scales,
                   float* y, int64_t y_stride, int64_t rows, int64_t columns, int64_t depth, Ahead ahead);
};

/** The loops of `isa`, or the next lower ones that were compiled in. */
const InnerInt8& inner_int8(Int8Isa isa);
/** The loops every product uses: those of int8_isa() until use() names others. */
const InnerInt8& inner_int8();
/** For tests and measurements; weights packed before do not fit afterwards. */
void use(Int8Isa isa);

}  // namespace distiltune::kernels
