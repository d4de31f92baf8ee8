#pragma once
#include <map>
#include <string>
#include <utility>

#include "engine/ops/ops.h"
#include "peaks.h"

namespace distiltune::bench {

using namespace distiltune::engine;

/** Operations that note how long each kind of them took. */
class TimedOps final : public Ops {
 public:
  TimedOps(Ops& ops, const kernels::ThreadPool& pool) : ops_(ops), pool_(pool) {}

  /** Seconds since it was asked last. */
  std::map<std::string, double> take() { return std::exchange(seconds_, {}); }

  DType dtype() const override { return ops_.dtype(); }
  void embed(const Batch& batch, View word, View position, View out) override {
    timed("embedding", [&] { ops_.embed(batch, word, position, out); });
  }
  void embed_backward(const Batch& batch, View dout, int32_t padding_id, WordGradient& dword,
                      View dposition) override {
    timed("embedding backward", [&] { ops_.embed_backward(batch, dout, padding_id, dword, dposition); });
  }
  void first_tokens(const Batch& batch, View x, View out) override {
    timed("first tokens", [&] { ops_.first_tokens(batch, x, out); });
  }
  void first_tokens_backward(const Batch& batch, View dout, View dx) override {
    timed("first tokens", [&] { ops_.first_tokens_backward(batch, dout, dx); });
  }
  void linear(View x, View w, View b, View y) override {
    timed("GEMM forward", [&] { ops_.linear(x, w, b, y); });
  }
  void linear_backward_input(View dy, View w, View dx, bool accumulate) override {
    timed("GEMM input gradient", [&] { ops_.linear_backward_input(dy, w, dx, accumulate); });
  }
  void linear_backward_weight(View dy, View x, View dw, View db, bool accumulate) override {
    timed("GEMM weight gradient",
          [&] { ops_.linear_backward_weight(dy, x, dw, db, accumulate); });
  }
  void activate(Activation activation, View x, View y) override {
    timed("activation", [&] { ops_.activate(activation, x, y); });
  }
  void activate_backward(Activation activation, View x, View dy, View dx) override {
    timed("activation backward", [&] { ops_.activate_backward(activation, x, dy, dx); });
  }
  void drop(View x, const Dropout& dropout, View y) override {
    timed("dropout alone", [&] { ops_.drop(x, dropout, y); });
  }
  void layer_norm(View x, const Dropout& dropout, View residual, View gamma, View beta, View sum, View mean,
                  View rstd, View y) override {
    timed("dropout + residual + LayerNorm",
          [&] { ops_.layer_norm(x, dropout, residual, gamma, beta, sum, mean, rstd, y); });
  }
  void layer_norm_backward(View dy, View sum, View mean, View rstd, View gamma, View dsum, View dgamma,
                           View dbeta) override {
    timed("LayerNorm backward",
          [&] { ops_.layer_norm_backward(dy, sum, mean, rstd, gamma, dsum, dgamma, dbeta); });
  }
  void attention(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                 View lse) override {
    timed("attention", [&] { ops_.attention(batch, how, q, k, v, out, lse); });
  }
  void attention_backward(const Batch& batch, const Attention& how, View q, View k, View v, View out,
                          View lse, View dout, View dq, View dk, View dv) override {
    timed("attention backward",
          [&] { ops_.attention_backward(batch, how, q, k, v, out, lse, dout, dq, dk, dv); });
  }
  double sum_of_squares(View values) override {
    double result = 0;
    timed("norm", [&] { result = ops_.sum_of_squares(values); });
    return result;
  }
  double sum_of_squares(const WordGradient& gradient) override {
    double result = 0;
    timed("norm", [&] { result = ops_.sum_of_squares(gradient); });
    return result;
  }
  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2, View gradient) override {
    timed("AdamW", [&] { ops_.adamw(step, parameter, moment1, moment2, gradient); });
  }
  void adamw(const AdamWStep& step, View parameter, View moment1, View moment2,
             const WordGradient& gradient, LateRows& late) override {
    timed("AdamW, word table", [&] { ops_.adamw(step, parameter, moment1, moment2, gradient, late); });
  }
  void level(View parameter, View moment1, View moment2, const std::vector<int32_t>* ids,
             LateRows& late) override {
    timed("AdamW, word table", [&] { ops_.level(parameter, moment1, moment2, ids, late); });
  }

 private:
  template <class Body>
  void timed(const char* what, const Body& body) {
    const double start = now(pool_);
    body();
    seconds_[what] += now(pool_) - start;
  }

  Ops& ops_;
  const kernels::ThreadPool& pool_;
  std::map<std::string, double> seconds_;
};

}  // namespace distiltune::bench
