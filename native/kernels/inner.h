#pragma once
#include <cstdint>

#include "ahead.h"
#include "cpu_features.h"

namespace distiltune::kernels {

// Inner loops of one thread, once per instruction set. What surrounds them (cutting into tasks, packing,
// scratch memory, order of sums over tasks) exists once, in the file of the operation, and is the same for
// every set.

/** What becomes of the destination of a product. `stream` overwrites it too, past the caches: what is larger
 * than they are and is not read again soon need not be fetched to be written. */
enum class Store { overwrite, accumulate, stream };

/** 16-bit dropout draws for elements [first, first + n): an element is dropped where its draw is below
 * `threshold`. */
struct DropoutDraws {
  const uint16_t* draws;  // of the first element; null keeps everything
  uint32_t threshold;     // 0 .. 65535
  float scale;            // of what is kept
};

/** Both flavors in one formula, exact because a factor of 1 and an addend of 0 are (adamw.h):
 * p *= decay; p += minus_step_size * m / (sqrt(v) / root_correction2 + epsilon); p += minus_late_decay * p.
 */
struct AdamWScalars {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, gradient_scale;
  float decay;             // hf: 1
  float root_correction2;  // hf: 1
  float minus_step_size;
  float minus_late_decay;  // torch: 0
};

struct Inner {
  using Value = float;  // of a packed operand
  static constexpr int64_t step = 1;

  Isa isa;
  int64_t width;  // packed columns are padded with zeros to a multiple of this

  /** Packs b (depth, columns) with row stride `stride` for multiply: depth * round_up(columns, width) floats.
   */
  void (*pack)(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed);
  /** The same from the transpose: bt (columns, depth) with row stride `stride`. */
  void (*pack_transposed)(const float* bt, int64_t stride, int64_t depth, int64_t columns, float* packed);
  /** Packs b (depth, columns) as the left side of multiply_packed, that is bᵀ (columns, depth):
   * depth * round_up(columns, 6) floats; sums (columns), if not null, gains the sum of each column. */
  void (*pack_left)(const float* b, int64_t stride, int64_t depth, int64_t columns, float* packed,
                    float* sums);
  /** c (rows, columns) = or += a · b, b packed. Products
   * of an element of c are added in rising order of p, from zero or from `bias` (columns) if not null, and
   * the sum then to c. */
  void (*multiply)(const float* a, int64_t a_stride, const float* packed, float* c, int64_t c_stride,
                   int64_t rows, int64_t columns, int64_t depth, Store store, const float* bias, Ahead ahead);
  /** c (rows, columns) = or += a · b, a packed by pack_left; the same order of sums. */
  void (*multiply_packed)(const float* left, const float* packed, float* c, int64_t c_stride, int64_t rows,
                          int64_t columns, int64_t depth, Store store, Ahead ahead);

  /** Philox 4x32-10: draws of blocks [first, first + blocks), 128 each; see philox.h. */
  void (*philox)(const uint32_t key[2], const uint32_t stream[2], uint64_t first, int64_t blocks,
                 uint16_t* draws);
  /** y = dropout(x); y may alias x. */
  void (*drop)(const float* x, const DropoutDraws& draws, float* y, int64_t n);

  /** Softmax without its division: s = exp(scale * s - max), zero from n to padded; returns max and sum. */
  void (*exponentials)(float* s, int64_t n, int64_t padded, float scale, float* max, float* sum);
  /** p on entry holds scores, dp the gradient of the dropped probabilities. p becomes dropout(exp(scale * p -
   * lse)), dp the gradient of the unscaled scores: probability * (dropout(dp) - delta) * scale. Both zero
   * from n to padded. */
  void (*attention_gradient)(float* p, float* dp, const DropoutDraws& draws, int64_t n, int64_t padded,
                             float scale, float lse, float delta);

  void (*gelu)(const float* x, float* y, int64_t n);
  void (*gelu_backward)(const float* x, const float* dy, float* dx, int64_t n);
  void (*relu)(const float* x, float* y, int64_t n);

  /** sum = dropout(x) + residual (null: none), y = normalised; sum may alias x or y. rstd = 1 / sqrt(variance
   * + eps). */
  void (*layer_norm)(const float* x, const DropoutDraws& draws, const float* residual, const float* gamma,
                     const float* beta, float* sum, float* y, int64_t dim, float eps, float* mean,
                     float* rstd);
  /** dgamma and dbeta are added to; dsum may alias dy. */
  void (*layer_norm_backward)(const float* dy, const float* sum, float mean, float rstd, const float* gamma,
                              float* dsum, float* dgamma, float* dbeta, int64_t dim);

  /** q (padded) = x (n) as QuantisedRange says, x being 0 from n to padded, a multiple of 16. */
  void (*quantise)(const float* x, int64_t n, int64_t padded, uint8_t* q, float* scale, int32_t* zero);

  /** gradient may be null: zeros. */
  void (*adamw)(const AdamWScalars& scalars, float* parameter, float* moment1, float* moment2,
                const float* gradient, int64_t n);
  /** `count` updates without a gradient, one after another: the bits of as many calls of adamw. */
  void (*adamw_late)(const AdamWScalars* scalars, int64_t count, float* parameter, float* moment1,
                     float* moment2, int64_t n);
  double (*sum_of_squares)(const float* values, int64_t n);
};

/** The loops of `isa`, or the next lower ones that were compiled in. */
const Inner& inner(Isa isa);

/** The loops every operation uses: those of isa() until use() names others. */
const Inner& inner();
/** For tests and measurements that compare instruction sets in one process; not while an operation runs. */
void use(Isa isa);

}  // namespace distiltune::kernels
