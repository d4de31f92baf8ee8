#include "predictor.h"

#include <algorithm>
#include <memory>

#include "../failure.h"
#include "../kernels/activation.h"
#include "../kernels/attention.h"
#include "../kernels/embedding.h"
#include "../kernels/layer_norm.h"

namespace distiltune::model {
namespace {

using kernels::PackedLinear;

/** Memory that is written before it is read. */
std::unique_ptr<float[]> floats(int64_t count) {
  return std::unique_ptr<float[]>(new float[static_cast<size_t>(count)]);
}

}  // namespace

/** Hands out a file's parameters one after another, in registration order. */
class Predictor::Source {
 public:
  Source(const std::string& path, const Shape& shape) : file_(path, shape), parameters_(parameters(shape)) {
    if (!file_.loaded().initialized.empty())
      throw Failure("MODEL_NOT_TRAINED",
                    path + " holds a body without a trained head: `" + file_.loaded().initialized.front() +
                        "` is missing",
                    "train one first: distiltune train --model DIR --train train.csv");
  }

  std::vector<float> values() {
    std::vector<float> values(static_cast<size_t>(parameters_[place_].count()));
    file_.read(place_++, values.data());
    return values;
  }

  LayerNorm layer_norm() { return {values(), values()}; }
  Head head() { return {values(), values()}; }

  /** The next `joined` linear layers, one below the other. */
  PackedLinear linear(int joined = 1) {
    const int64_t inputs = parameters_[place_].cols;
    std::vector<float> weight, bias;
    for (int i = 0; i < joined; ++i) {
      append(weight, values());
      append(bias, values());
    }
    return PackedLinear(weight.data(), bias.data(), static_cast<int64_t>(bias.size()), inputs);
  }

  Layer layer() { return {linear(), linear(2), linear(), layer_norm(), linear(), linear(), layer_norm()}; }

 private:
  static void append(std::vector<float>& to, std::vector<float> values) {
    if (to.empty())
      to = std::move(values);
    else
      to.insert(to.end(), values.begin(), values.end());
  }

  WeightsFile file_;
  std::vector<ParameterInfo> parameters_;
  size_t place_ = 0;
};

Predictor::Predictor(const std::string& weights, const Shape& shape, int threads)
    : Predictor(Source(weights, shape), shape, threads) {}

Predictor::Predictor(Source source, const Shape& shape, int threads)
    : shape_(shape),
      word_embeddings_(source.values()),
      position_embeddings_(source.values()),
      embeddings_layer_norm_(source.layer_norm()),
      layers_([&] {
        std::vector<Layer> layers;
        for (int64_t i = 0; i < shape.layers; ++i) layers.push_back(source.layer());
        return layers;
      }()),
      pre_classifier_(source.linear()),
      head_(source.head()),
      pool_(threads) {}

void Predictor::add_and_norm(const float* x, const float* residual, const LayerNorm& norm, float* y,
                             int64_t tokens) {
  kernels::dropout_add_layer_norm(pool_, x, {}, residual, norm.gamma.data(), norm.beta.data(), nullptr,
                                  nullptr, nullptr, y, tokens, shape_.dim);
}

void Predictor::features(const Batch& batch, float* features, const std::atomic<bool>& cancelled) {
  const int64_t tokens = batch.tokens(), rows = batch.rows, dim = shape_.dim, hidden_dim = shape_.hidden_dim;
  const auto x = floats(tokens * dim);
  const auto first = floats(rows * dim);
  const auto q = floats(tokens * dim);
  const auto kv = floats(tokens * 2 * dim);
  const auto context = floats(tokens * dim);
  const auto hidden = floats(tokens * hidden_dim);

  kernels::embed(pool_, batch.ids, batch.offsets, rows, word_embeddings_.data(), position_embeddings_.data(),
                 q.get(), dim);
  add_and_norm(q.get(), nullptr, embeddings_layer_norm_, x.get(), tokens);

  for (const Layer& layer : layers_) {
    if (cancelled)
      throw Failure("CANCELLED", "Classifying was stopped because its environment is going away");
    // The head reads first tokens alone, so the last layer asks its questions only there.
    const bool last = &layer == &layers_.back();
    const int64_t queries = last ? rows : tokens;
    if (last)
      for (int64_t row = 0; row < rows; ++row)
        std::copy_n(&x[batch.offsets[row] * dim], dim, &first[row * dim]);
    const float* asking = last ? first.get() : x.get();

    layer.q_lin.apply(pool_, asking, dim, q.get(), dim, queries);
    layer.kv_lin.apply(pool_, x.get(), dim, kv.get(), 2 * dim, tokens);
    const kernels::AttentionShape shape{batch.offsets, rows, shape_.heads, shape_.head_dim(), last};
    kernels::attention(pool_, shape, q.get(), dim, kv.get(), kv.get() + dim, 2 * dim, {}, context.get(),
                       nullptr);
    layer.out_lin.apply(pool_, context.get(), dim, q.get(), dim, queries);
    add_and_norm(q.get(), asking, layer.sa_layer_norm, context.get(), queries);

    layer.lin1.apply(pool_, context.get(), dim, hidden.get(), hidden_dim, queries);
    const auto activation = shape_.activation == Activation::gelu ? kernels::gelu : kernels::relu;
    activation(pool_, hidden.get(), hidden.get(), queries * hidden_dim);
    layer.lin2.apply(pool_, hidden.get(), hidden_dim, q.get(), dim, queries);
    add_and_norm(q.get(), context.get(), layer.output_layer_norm, x.get(), queries);
  }

  pre_classifier_.apply(pool_, x.get(), dim, features, dim, rows);
  kernels::relu(pool_, features, features, rows * dim);
}

void Predictor::logits(const Batch& batch, const Head& head, float* logits,
                       const std::atomic<bool>& cancelled) {
  const auto read = floats(batch.rows * shape_.dim);
  features(batch, read.get(), cancelled);
  kernels::linear(pool_, read.get(), shape_.dim, head.weight.data(), head.bias.data(), logits, shape_.labels,
                  batch.rows, shape_.labels, shape_.dim);
}

}  // namespace distiltune::model
