#pragma once
#include <cstdint>
#include <vector>

#include "../../kernels/adamw.h"
#include "../../kernels/dropout.h"
#include "../../kernels/embedding.h"
#include "../../model/batch.h"
#include "../../model/shape.h"

namespace distiltune::engine {

using kernels::AdamWStep;
using kernels::Dropout;
using kernels::LateRows;
using model::Activation;
using model::Batch;

enum class DType { f32, f64 };

inline int64_t size_of(DType dtype) { return dtype == DType::f32 ? 4 : 8; }

/** A row-major matrix that somebody else owns; neighbours in a row touch. A vector of n values is (1, n). */
struct View {
  void* data = nullptr;  // null: none
  DType dtype = DType::f32;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // values between the starts of two rows

  float* f32() const { return static_cast<float*>(data); }
  double* f64() const { return static_cast<double*>(data); }
  int64_t count() const { return rows * cols; }

  /** The first `count` rows. */
  View top(int64_t count) const { return {data, dtype, count, cols, stride}; }
  /** `width` columns from column `from`. */
  View columns(int64_t from, int64_t width) const {
    return {static_cast<char*>(data) + from * size_of(dtype), dtype, rows, width, stride};
  }
};

/** Gradient of the word table: a row for each id met, not for each word there is. `rows.values` is used in
 * f32 alone. */
struct WordGradient {
  kernels::RowGradient rows;
  std::vector<double> values_f64;  // (rows.ids.size(), dim), in f64 alone

  void clear() {
    rows.ids.clear();
    rows.values.clear();
    values_f64.clear();
  }
};

/** How a batch is attended to. */
struct Attention {
  int64_t heads;    // divides the width of q, k and v
  bool first_only;  // queries are the first token of each row alone, else every token
  Dropout dropout;  // of the probabilities
};

/**
 * The operations the model is made of, over plain memory. All views of a call have dtype(), and are
 * contiguous (stride == cols) unless a line says "strided". Outputs are overwritten unless a line says
 * "adds", and share no memory with inputs unless a line says "may be". `tokens` is any number of rows; a
 * Dropout with p = 0 does nothing. Implementations give the same bits whenever they are called with the same
 * values.
 */
class Ops {
 public:
  virtual ~Ops() = default;
  virtual DType dtype() const = 0;

  /** out (tokens, dim) = word[id] + position[place in its row]; word (vocab, dim), position (max_positions,
   * dim). */
  virtual void embed(const Batch& batch, View word, View position, View out) = 0;
  /** Adds dout (tokens, dim) to dword by id, padding_id left out, and to dposition by place. */
  virtual void embed_backward(const Batch& batch, View dout, int32_t padding_id, WordGradient& dword,
                              View dposition) = 0;

  /** out (rows, dim) = the first token of each row of x (tokens, dim). */
  virtual void first_tokens(const Batch& batch, View x, View out) = 0;
  /** Adds dout (rows, dim) to the first tokens' places in dx (tokens, dim). */
  virtual void first_tokens_backward(const Batch& batch, View dout, View dx) = 0;

  /** y (tokens, out) = x (tokens, in) · wᵀ + b; w (out, in), b (1, out). x and y strided. */
  virtual void linear(View x, View w, View b, View y) = 0;
  /** dx = dy · w, or adds it where `accumulate`. dy and dx strided. */
  virtual void linear_backward_input(View dy, View w, View dx, bool accumulate) = 0;
  /** dw = dyᵀ · x and db = the column sums of dy, or adds both where `accumulate`. dy and x strided. */
  virtual void linear_backward_weight(View dy, View x, View dw, View db, bool accumulate) = 0;

  /** y = gelu(x), the exact erf form, or relu(x); y may be x. */
  virtual void activate(Activation activation, View x, View y) = 0;
  /** dx = dy · activation'(x); dx may be dy. For relu x may be y: both are positive at once. */
  virtual void activate_backward(Activation activation, View x, View dy, View dx) = 0;

  /** y = x with dropped values 0 and the others scaled by 1 / (1 - p); its own backward. y may be x. */
  virtual void drop(View x, const Dropout& dropout, View y) = 0;

  /**
   * sum = drop(x) + residual; y = (sum - mean) · rstd · gamma + beta, row by row, eps as in
   * kernels/layer_norm.h. residual may be none; sum may be x. sum, mean and rstd (1, tokens) are what
   * backward needs.
   */
  virtual void layer_norm(View x, const Dropout& dropout, View residual, View gamma, View beta, View sum,
                          View mean, View rstd, View y) = 0;
  /** dsum, which may be dy; adds to dgamma and dbeta (1, dim). */
  virtual void layer_norm_backward(View dy, View sum, View mean, View rstd, View gamma, View dsum,
                                   View dgamma, View dbeta) = 0;

  /**
   * out (queries, dim) = drop(softmax(q · kᵀ / sqrt(dim / heads))) · v within each row and head; k, v
   * (tokens, dim). q, k, v strided, k and v alike. lse (heads, queries): log-sum-exp of the scores.
   */
  virtual void attention(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                         View lse) = 0;
  /** dq, dk, dv, strided as q, k, v. */
  virtual void attention_backward(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                                  View lse, View dout, View dq, View dk, View dv) = 0;

  /** In double. */
  virtual double sum_of_squares(View values) = 0;
  virtual double sum_of_squares(const WordGradient& gradient) = 0;

  /** One AdamW update (kernels/adamw.h); moments and gradient have the parameter's shape, which is any. */
  virtual void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, View gradient) = 0;
  /** The same for the word table (vocab, dim), whose gradient is zero where `gradient` has no row. Rows it
   * has none for may be left to level(). */
  virtual void adamw(const AdamWStep& step, View parameter, View moment1, View moment2,
                     const WordGradient& gradient, LateRows& late) = 0;
  /** Brings rows of the word table up to date: `ids`, distinct, or all where it is null. */
  virtual void level(View parameter, View moment1, View moment2, const std::vector<int32_t>* ids,
                     LateRows& late) = 0;
};

}  // namespace distiltune::engine
