#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "after.h"
#include "thread_pool.h"

namespace distiltune::kernels {

// Products of whole numbers: weights of 8 bits, one scale an output, times activations of 7 bits, one scale
// and one zero a row. The sums are exact, so every instruction set gives the same bits, and a row's results
// depend on no other row.
//
// Without instructions made for it, the fastest way multiplies bytes pairwise into 16 bits and adds four such
// results there before it widens. So that this never overflows, activations go from 0 to 127, and of the
// weights that meet in one sum (a group) those above zero sum to 258 at most, and those below as well: 127 *
// 258 < 2^15. A group are the places p with equal p / 16 and equal (p mod 4) / 2.
inline constexpr int64_t int8_depth_multiple = 16;
inline constexpr int32_t int8_group_most = 258;

/** w (k) ~ scale * q with q from -127 to 127, within the rule for groups; returns scale. */
float quantise_weights(const float* w, int64_t k, int8_t* q);
/** The same without the rule, for what is no factor of a product: steps of the largest's 127th part. */
float quantise_row(const float* w, int64_t k, int8_t* q);
/** Whether q (k) keeps the rule for groups and holds no -128. */
bool are_quantised_weights(const int8_t* q, int64_t k);

/** Rows of activations as whole numbers, for any number of products with them. */
class QuantisedRows {
 public:
  /** Makes room for x (rows, k), all rows or some being set afterwards. */
  void resize(int64_t rows, int64_t k);
  /** Rows [begin, end) from x (rows, k) with row stride `stride`. Ranges that do not meet may be set at once.
   */
  void set(const float* x, int64_t stride, int64_t begin, int64_t end);
  /** All rows. */
  void set(ThreadPool& pool, const float* x, int64_t stride);

  int64_t rows() const { return rows_; }
  int64_t inputs() const { return inputs_; }
  /** Between rows of values(): inputs() rounded up. */
  int64_t stride() const { return stride_; }
  const uint8_t* values() const { return values_.data(); }
  const float* scales() const { return scales_.data(); }
  const int32_t* zeros() const { return zeros_.data(); }

 private:
  int64_t rows_ = 0, inputs_ = 0, stride_ = 0;
  std::vector<uint8_t> values_;
  std::vector<float> scales_;
  std::vector<int32_t> zeros_;
};

/** A linear layer of quantised weights, laid out for the machine's instructions. A view: the memory belongs
 * to whoever packed it. */
class Int8Linear {
 public:
  /** Bytes of a packed layer. */
  static size_t bytes(int64_t outputs, int64_t inputs);
  /** Lays q (outputs, inputs), its scales (outputs) and bias (outputs) out at `to`, aligned to 64. */
  static void pack(const int8_t* q, const float* scales, const float* bias, int64_t outputs, int64_t inputs,
                   void* to);

  /** `packed` as pack() left it. */
  Int8Linear(const void* packed, int64_t outputs, int64_t inputs);

  /** y (rows, outputs) = after(x · wᵀ + bias), with rows of y `y_stride` apart. */
  void apply(ThreadPool& pool, const QuantisedRows& x, float* y, int64_t y_stride, After after) const;

 private:
  const unsigned char* packed_;
  int64_t outputs_, inputs_;
};

}  // namespace distiltune::kernels
