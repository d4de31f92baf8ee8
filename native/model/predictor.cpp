#include "predictor.h"

#include <algorithm>
#include <utility>

#include "../failure.h"
#include "../kernels/activation.h"
#include "../kernels/attention.h"
#include "../kernels/embedding.h"
#include "../kernels/gemm.h"
#include "../kernels/gemm_bf16.h"
#include "../kernels/gemm_int8.h"
#include "../kernels/layer_norm.h"
#include "../kernels/packed_linear.h"

namespace distiltune::model {
namespace {

using kernels::After;

/** Memory that is written before it is read. */
std::unique_ptr<float[]> floats(int64_t count) {
  return std::unique_ptr<float[]>(new float[static_cast<size_t>(count)]);
}

std::vector<float> copy(const float* from, int64_t count) { return {from, from + count}; }

/** The input of linear layers, (count, width) and contiguous, and as the weights' dtype multiplies them. */
struct Rows {
  const float* values = nullptr;
  int64_t count = 0, width = 0;
  kernels::Bf16Rows rounded;
  kernels::QuantisedRows quantised;
};

}  // namespace

/** One batch on its way through the layers. */
class Predictor::Pass {
 public:
  Pass(const Predictor& model, const Batch& batch)
      : weights_(*model.weights_),
        shape_(model.shape_),
        dtype_(model.dtype_),
        pool_(*model.pool_),
        batch_(batch) {}

  void embed(float* x, float* sum) {
    const PackedLayout& layout = weights_.layout();
    const float* positions = weights_.at<float>(layout.positions);
    switch (dtype_) {
      case Dtype::fp32:
        kernels::embed(pool_, batch_.ids, batch_.offsets, batch_.rows, weights_.at<float>(layout.words),
                       positions, sum, shape_.dim);
        break;
      case Dtype::bf16:
        kernels::embed(pool_, batch_.ids, batch_.offsets, batch_.rows, weights_.at<uint16_t>(layout.words),
                       positions, sum, shape_.dim);
        break;
      case Dtype::int8:
        kernels::embed(pool_, batch_.ids, batch_.offsets, batch_.rows, weights_.at<int8_t>(layout.words),
                       weights_.at<float>(layout.word_scales), positions, sum, shape_.dim);
    }
    add_and_norm(sum, nullptr, layout.embeddings_layer_norm, x, batch_.tokens());
  }

  void take(Rows& rows, const float* values, int64_t count, int64_t width) {
    rows.values = values;
    rows.count = count;
    rows.width = width;
    if (dtype_ == Dtype::bf16) rows.rounded.set(pool_, values, width, count, width);
    if (dtype_ != Dtype::int8) return;
    rows.quantised.resize(count, width);
    rows.quantised.set(pool_, values, width);
  }

  void linear(size_t place, const Rows& x, float* y, int64_t outputs, After after = After::nothing) {
    const void* packed = weights_.at<unsigned char>(place);
    switch (dtype_) {
      case Dtype::fp32:
        return kernels::FloatLinear(packed, outputs, x.width)
            .apply(pool_, x.values, x.width, y, outputs, x.count, after);
      case Dtype::bf16:
        return kernels::Bf16Linear(packed, outputs, x.width)
            .apply(pool_, x.rounded.words(), x.rounded.stride(), y, outputs, x.count, after);
      case Dtype::int8:
        return kernels::Int8Linear(packed, outputs, x.width).apply(pool_, x.quantised, y, outputs, after);
    }
  }

  void add_and_norm(const float* x, const float* residual, const PackedLayout::LayerNorm& norm, float* y,
                    int64_t tokens) {
    kernels::dropout_add_layer_norm(pool_, x, {}, residual, weights_.at<float>(norm.gamma),
                                    weights_.at<float>(norm.beta), nullptr, nullptr, nullptr, y, tokens,
                                    shape_.dim);
  }

 private:
  const PackedWeights& weights_;
  const Shape& shape_;
  Dtype dtype_;
  kernels::ThreadPool& pool_;
  const Batch& batch_;
};

Predictor::Predictor(std::unique_ptr<PackedWeights> weights, const Shape& shape, Dtype dtype,
                     std::shared_ptr<kernels::ThreadPool> pool)
    : weights_(std::move(weights)),
      shape_(shape),
      dtype_(dtype),
      head_{copy(weights_->at<float>(weights_->layout().head_weight), shape.labels * shape.dim),
            copy(weights_->at<float>(weights_->layout().head_bias), shape.labels)},
      pool_(std::move(pool)) {}

void Predictor::features(const Batch& batch, float* features, const std::atomic<bool>& cancelled) {
  const int64_t tokens = batch.tokens(), rows = batch.rows, dim = shape_.dim, hidden_dim = shape_.hidden_dim;
  const auto x = floats(tokens * dim);
  const auto first = floats(rows * dim);
  const auto q = floats(tokens * dim);
  const auto kv = floats(tokens * 2 * dim);
  const auto context = floats(tokens * dim);
  const auto hidden = floats(tokens * hidden_dim);
  Rows read, asking, wide;
  Pass pass(*this, batch);

  pass.embed(x.get(), q.get());
  for (const PackedLayout::Layer& layer : weights_->layout().layers) {
    if (cancelled)
      throw Failure("CANCELLED", "Classifying was stopped because its environment is going away");
    // The head reads first tokens alone, so the last layer asks its questions only there.
    const bool last = &layer == &weights_->layout().layers.back();
    const int64_t queries = last ? rows : tokens;
    pass.take(read, x.get(), tokens, dim);
    const float* residual = x.get();
    if (last) {
      for (int64_t row = 0; row < rows; ++row)
        std::copy_n(&x[batch.offsets[row] * dim], dim, &first[row * dim]);
      residual = first.get();
      pass.take(asking, residual, rows, dim);
    }

    pass.linear(layer.q_lin, last ? asking : read, q.get(), dim);
    pass.linear(layer.kv_lin, read, kv.get(), 2 * dim);
    const kernels::AttentionShape shape{batch.offsets, rows, shape_.heads, shape_.head_dim(), last};
    const auto attend = dtype_ == Dtype::bf16 ? kernels::attention_bf16 : kernels::attention;
    attend(*pool_, shape, q.get(), dim, kv.get(), kv.get() + dim, 2 * dim, {}, context.get(), nullptr);
    pass.take(read, context.get(), queries, dim);
    pass.linear(layer.out_lin, read, q.get(), dim);
    pass.add_and_norm(q.get(), residual, layer.sa_layer_norm, context.get(), queries);

    pass.take(read, context.get(), queries, dim);
    pass.linear(layer.lin1, read, hidden.get(), hidden_dim,
                shape_.activation == Activation::gelu ? After::gelu : After::relu);
    pass.take(wide, hidden.get(), queries, hidden_dim);
    pass.linear(layer.lin2, wide, q.get(), dim);
    pass.add_and_norm(q.get(), context.get(), layer.output_layer_norm, x.get(), queries);
  }

  kernels::FloatLinear(weights_->at<unsigned char>(weights_->layout().pre_classifier), dim, dim)
      .apply(*pool_, x.get(), dim, features, dim, rows, After::relu);
}

void Predictor::logits(const Batch& batch, const Head& head, float* logits,
                       const std::atomic<bool>& cancelled) {
  const auto read = floats(batch.rows * shape_.dim);
  features(batch, read.get(), cancelled);
  kernels::linear(*pool_, read.get(), shape_.dim, head.weight.data(), head.bias.data(), logits, shape_.labels,
                  batch.rows, shape_.labels, shape_.dim);
}

}  // namespace distiltune::model
