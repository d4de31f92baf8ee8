#include "cpu.h"

#include <cstring>

#include "../../kernels/activation.h"
#include "../../kernels/attention.h"
#include "../../kernels/gemm.h"
#include "../../kernels/gemm_bf16.h"
#include "../../kernels/layer_norm.h"

namespace distiltune::engine {

namespace {

class CpuOps final : public Ops {
 public:
  CpuOps(kernels::ThreadPool& pool, Precision precision) : pool_(pool), precision_(precision) {}

  DType dtype() const override { return DType::f32; }

  void embed(const Batch& batch, View word, View position, View out) override {
    kernels::embed(pool_, batch.ids, batch.offsets, batch.rows, word.f32(), position.f32(), out.f32(),
                   out.cols);
  }

  void embed_backward(const Batch& batch, View dout, int32_t padding_id, WordGradient& dword,
                      View dposition) override {
    kernels::embed_backward(pool_, batch.ids, batch.offsets, batch.rows, dout.f32(), padding_id, dword.rows,
                            dposition.f32(), dout.cols);
  }

  void first_tokens(const Batch& batch, View x, View out) override {
    for (int64_t row = 0; row < batch.rows; ++row) {
      std::memcpy(out.f32() + row * out.cols, x.f32() + batch.offsets[row] * x.cols,
                  sizeof(float) * out.cols);
    }
  }

  void first_tokens_backward(const Batch& batch, View dout, View dx) override {
    for (int64_t row = 0; row < batch.rows; ++row) {
      const float* from = dout.f32() + row * dout.cols;
      float* to = dx.f32() + batch.offsets[row] * dx.cols;
      for (int64_t col = 0; col < dout.cols; ++col) to[col] += from[col];
    }
  }

  void linear(View x, View w, View b, View y) override {
    const auto multiply = rounds(w) ? kernels::linear_bf16 : kernels::linear;
    multiply(pool_, x.f32(), x.stride, w.f32(), b.f32(), y.f32(), y.stride, y.rows, y.cols, x.cols);
  }

  void linear_backward_input(View dy, View w, View dx, bool accumulate) override {
    const auto multiply = rounds(w) ? kernels::linear_backward_input_bf16 : kernels::linear_backward_input;
    multiply(pool_, dy.f32(), dy.stride, w.f32(), dx.f32(), dx.stride, dy.rows, dy.cols, dx.cols, accumulate);
  }

  void linear_backward_weight(View dy, View x, View dw, View db, bool accumulate) override {
    const auto multiply = rounds(dw) ? kernels::linear_backward_weight_bf16 : kernels::linear_backward_weight;
    multiply(pool_, dy.f32(), dy.stride, x.f32(), x.stride, dw.f32(), db.f32(), dy.rows, dy.cols, x.cols,
             accumulate);
  }

  void activate(Activation activation, View x, View y) override {
    const auto forward = activation == Activation::gelu ? kernels::gelu : kernels::relu;
    forward(pool_, x.f32(), y.f32(), x.count());
  }

  void activate_backward(Activation activation, View x, View dy, View dx) override {
    const auto backward = activation == Activation::gelu ? kernels::gelu_backward : kernels::relu_backward;
    backward(pool_, x.f32(), dy.f32(), dx.f32(), x.count());
  }

  void drop(View x, const Dropout& dropout, View y) override {
    kernels::apply_dropout(pool_, x.f32(), dropout, y.f32(), x.count());
  }

  void layer_norm(View x, const Dropout& dropout, View residual, View gamma, View beta, View sum, View mean,
                  View rstd, View y) override {
    kernels::dropout_add_layer_norm(pool_, x.f32(), dropout, residual.f32(), gamma.f32(), beta.f32(),
                                    sum.f32(), mean.f32(), rstd.f32(), y.f32(), x.rows, x.cols);
  }

  void layer_norm_backward(View dy, View sum, View mean, View rstd, View gamma, View dsum, View dgamma,
                           View dbeta) override {
    kernels::layer_norm_backward(pool_, dy.f32(), sum.f32(), mean.f32(), rstd.f32(), gamma.f32(), dsum.f32(),
                                 dgamma.f32(), dbeta.f32(), dy.rows, dy.cols);
  }

  void attention(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                 View lse) override {
    const auto attend = precision_ == Precision::bf16 ? kernels::attention_bf16 : kernels::attention;
    attend(pool_, shape(batch, how, q), q.f32(), q.stride, k.f32(), v.f32(), k.stride, how.dropout, out.f32(),
           lse.f32());
  }

  void attention_backward(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                          View lse, View dout, View dq, View dk, View dv) override {
    const auto backward =
        precision_ == Precision::bf16 ? kernels::attention_backward_bf16 : kernels::attention_backward;
    backward(pool_, shape(batch, how, q), q.f32(), q.stride, k.f32(), v.f32(), k.stride, how.dropout,
             out.f32(), lse.f32(), dout.f32(), dq.f32(), dk.f32(), dv.f32());
  }

  double sum_of_squares(View values) override {
    return kernels::sum_of_squares(pool_, values.f32(), values.count());
  }

  double sum_of_squares(const WordGradient& gradient) override {
    return kernels::sum_of_squares(pool_, gradient.rows.values.data(), gradient.rows.values.size());
  }

  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, View gradient) override {
    kernels::adamw(pool_, step, parameter.f32(), moment1.f32(), moment2.f32(), gradient.f32(),
                   parameter.count());
  }

  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, const WordGradient& gradient,
             LateRows& late) override {
    kernels::adamw_rows(pool_, step, parameter.f32(), moment1.f32(), moment2.f32(), gradient.rows,
                        parameter.rows, parameter.cols, late);
  }

  void level(View parameter, View moment1, View moment2, const std::vector<int32_t>* ids,
             LateRows& late) override {
    if (ids) {
      kernels::level_rows(pool_, parameter.f32(), moment1.f32(), moment2.f32(), *ids, parameter.cols, late);
    } else {
      kernels::level_rows(pool_, parameter.f32(), moment1.f32(), moment2.f32(), parameter.rows,
                          parameter.cols, late);
    }
  }

 private:
  static kernels::AttentionShape shape(const Batch& batch, const Attention& how, View q) {
    return {batch.offsets, batch.rows, how.heads, q.cols / how.heads, how.first_only};
  }

  /** Whether products with these weights (outputs, inputs) round their operands. */
  bool rounds(View w) const { return precision_ == Precision::bf16 && w.rows >= 16; }

  kernels::ThreadPool& pool_;
  const Precision precision_;
};

}  // namespace

std::unique_ptr<Ops> make_cpu_ops(kernels::ThreadPool& pool, Precision precision) {
  return std::make_unique<CpuOps>(pool, precision);
}

}  // namespace distiltune::engine
