#include "distilbert.h"

#include <algorithm>
#include <cstring>

#include "../failure.h"

namespace distiltune::engine {

namespace {

// The padding word of every BERT vocabulary this package accepts; it is never trained (torch's padding_idx).
constexpr int32_t padding_id = 0;
constexpr Dropout nothing_dropped{};

void stop_if(const Cancelled& cancelled) {
  if (cancelled) throw Failure("CANCELLED", "The work was stopped because its environment is closing");
}

void clear(View view) { std::memset(view.data, 0, view.count() * size_of(view.dtype)); }

/** Memory of `wide` seen as another matrix, no larger. */
View as(View wide, int64_t rows, int64_t cols) { return {wide.data, wide.dtype, rows, cols, cols}; }

}  // namespace

DistilBert::DistilBert(Ops& ops, const model::Shape& shape, const DropoutRates& rates, uint64_t seed,
                       Frozen frozen)
    : ops_(ops), shape_(shape), rates_(rates), seed_(seed), frozen_(frozen) {}

Dropout DistilBert::dropout(float rate, uint32_t site) const {
  return mode_ == Mode::training ? Dropout{rate, seed_, micro_batch_, site} : nothing_dropped;
}

// --- Forward, top to bottom ---

View DistilBert::evaluate(const Parameters& w, const Batch& batch, const Cancelled& cancelled) {
  mode_ = Mode::evaluation;
  run(w, batch, cancelled);
  return values_.logits;
}

View DistilBert::forward(const Parameters& w, const Batch& batch, uint64_t micro_batch,
                         const Cancelled& cancelled) {
  mode_ = Mode::training;
  micro_batch_ = micro_batch;
  run(w, batch, cancelled);
  return values_.logits;
}

void DistilBert::run(const Parameters& w, const Batch& batch, const Cancelled& cancelled) {
  values_ = workspace_.matrices(ops_.dtype(), [&](Cutter& cutter) { return cut(cutter, batch, mode_); });
  Values& t = values_;

  ops_.embed(batch, w.word_embeddings, w.position_embeddings, t.e);
  first_input(w);

  for (size_t index = 0; index < t.layers.size(); ++index) {
    stop_if(cancelled);
    layer_forward(w.layers[index], batch, index, t.layers[index]);
  }

  ops_.linear(t.layers.back().y, w.pre_classifier.weight, w.pre_classifier.bias, t.pooled);
  ops_.activate(Activation::relu, t.pooled, t.pooled);
  ops_.drop(t.pooled, classifier_dropout(), t.pooled);
  ops_.linear(t.pooled, w.classifier.weight, w.classifier.bias, t.logits);
}

void DistilBert::first_input(const Parameters& w) {
  const Values& t = values_;
  normalise(w.embeddings_layer_norm, t.e, t.e_mean, t.e_rstd, t.x);
  ops_.drop(t.x, embeddings_dropout(), t.x);
}

void DistilBert::normalise(const LayerNorm& w, View sum, View mean, View rstd, View y) {
  ops_.layer_norm(sum, nothing_dropped, {}, w.weight, w.bias, sum, mean, rstd, y);
}

void DistilBert::layer_forward(const Layer& w, const Batch& batch, size_t index, LayerValues& t) {
  if (is_last(
          index)) {  // the head reads first tokens only, so the others are needed as keys and values alone
    ops_.first_tokens(batch, values_.x, t.x_queries);
    ops_.linear(t.x_queries, w.q_lin.weight, w.q_lin.bias, t.q);
    ops_.linear(values_.x, w.kv().weight, w.kv().bias, t.kv);
  } else {
    ops_.linear(values_.x, w.qkv().weight, w.qkv().bias, t.qkv);
  }
  ops_.attention(batch, {shape_.heads, is_last(index), attention_dropout(index)}, t.q, t.k, t.v, t.ctx,
                 t.lse);
  const View x1 = values_.x1.top(t.y.rows);
  ops_.linear(t.ctx, w.out_lin.weight, w.out_lin.bias, t.s1);
  ops_.layer_norm(t.s1, nothing_dropped, t.x_queries, w.sa_layer_norm.weight, w.sa_layer_norm.bias, t.s1,
                  t.mean1, t.rstd1, x1);

  const View a = as(values_.wide, t.h.rows, t.h.cols);
  ops_.linear(x1, w.lin1.weight, w.lin1.bias, t.h);
  ops_.activate(shape_.activation, t.h, a);
  ops_.linear(a, w.lin2.weight, w.lin2.bias, t.s2);
  ops_.layer_norm(t.s2, output_dropout(index), x1, w.output_layer_norm.weight, w.output_layer_norm.bias, t.s2,
                  t.mean2, t.rstd2, t.y);
}

// --- Backward, bottom to top ---

void DistilBert::backward(const Parameters& w, const Batch& batch, View dlogits, Gradients& gradients,
                          const Cancelled& cancelled) {
  Values& t = values_;
  const Parameters& g = gradients.others;

  const View dpooled = t.dq_first;
  ops_.linear_backward_weight(dlogits, t.pooled, g.classifier.weight, g.classifier.bias, gradients.add);
  ops_.linear_backward_input(dlogits, w.classifier.weight, dpooled, false);
  ops_.drop(dpooled, classifier_dropout(), dpooled);
  ops_.activate_backward(Activation::relu, t.pooled, dpooled,
                         dpooled);  // what was dropped has no gradient already
  ops_.linear_backward_weight(dpooled, t.layers.back().y, g.pre_classifier.weight, g.pre_classifier.bias,
                              gradients.add);
  const size_t lowest = frozen_.layers;
  if (lowest == t.layers.size()) return;
  ops_.linear_backward_input(dpooled, w.pre_classifier.weight, t.d_first, false);

  for (size_t index = t.layers.size(); index-- > lowest;) {
    stop_if(cancelled);
    layer_backward(w, batch, index, is_last(index) ? t.d_first : t.dx, t.dx, gradients);
  }

  if (frozen_.embeddings) return;
  ops_.drop(t.dx, embeddings_dropout(), t.dx);
  ops_.layer_norm_backward(t.dx, t.e, t.e_mean, t.e_rstd, w.embeddings_layer_norm.weight, t.dx,
                           g.embeddings_layer_norm.weight, g.embeddings_layer_norm.bias);
  ops_.embed_backward(batch, t.dx, padding_id, gradients.word_embeddings, g.position_embeddings);
}

/** From dy (queries, dim), which is used up, to dx (tokens, dim), the same memory but in the last layer.
 * Without anything to train below, dx is not computed. */
void DistilBert::layer_backward(const Parameters& parameters, const Batch& batch, size_t index, View dy,
                                View dx, Gradients& gradients) {
  const Layer& w = parameters.layers[index];
  const LayerValues& t = values_.layers[index];
  const Layer& g = gradients.others.layers[index];
  const int64_t queries = t.y.rows;
  const int64_t tokens = batch.tokens();
  const int64_t dim = shape_.dim;
  const View d = values_.d.top(queries);
  const View a = as(values_.wide, queries, shape_.hidden_dim);

  const View ds2 = dy;
  ops_.layer_norm_backward(dy, t.s2, t.mean2, t.rstd2, w.output_layer_norm.weight, ds2,
                           g.output_layer_norm.weight, g.output_layer_norm.bias);
  ops_.drop(ds2, output_dropout(index), d);
  ops_.activate(shape_.activation, t.h, a);
  ops_.linear_backward_weight(d, a, g.lin2.weight, g.lin2.bias, gradients.add);
  const View dh = a;
  ops_.linear_backward_input(d, w.lin2.weight, dh, false);
  ops_.activate_backward(shape_.activation, t.h, dh, dh);
  const View x1 = values_.x1.top(queries);
  normalise(w.sa_layer_norm, t.s1, t.mean1, t.rstd1, x1);
  ops_.linear_backward_weight(dh, x1, g.lin1.weight, g.lin1.bias, gradients.add);
  const View dx1 = ds2;
  ops_.linear_backward_input(dh, w.lin1.weight, dx1, true);

  const View ds1 = dx1;
  ops_.layer_norm_backward(dx1, t.s1, t.mean1, t.rstd1, w.sa_layer_norm.weight, ds1, g.sa_layer_norm.weight,
                           g.sa_layer_norm.bias);
  ops_.linear_backward_weight(ds1, t.ctx, g.out_lin.weight, g.out_lin.bias, gradients.add);
  const View dctx = d;
  ops_.linear_backward_input(ds1, w.out_lin.weight, dctx, false);
  input_again(parameters, index);
  const Attention how{shape_.heads, is_last(index), attention_dropout(index)};
  if (is_last(index)) {
    const View dq = values_.dq_first;
    const View dkv = as(values_.wide, tokens, 2 * dim);
    ops_.attention_backward(batch, how, t.q, t.k, t.v, t.ctx, t.lse, dctx, dq, dkv.columns(0, dim),
                            dkv.columns(dim, dim));
    ops_.linear_backward_weight(dq, t.x_queries, g.q_lin.weight, g.q_lin.bias, gradients.add);
    ops_.linear_backward_weight(dkv, values_.x, g.kv().weight, g.kv().bias, gradients.add);
    if (trains_below(index)) {
      ops_.linear_backward_input(dq, w.q_lin.weight, ds1, true);
      ops_.linear_backward_input(dkv, w.kv().weight, dx, false);
      ops_.first_tokens_backward(batch, ds1, dx);
    }
  } else {
    const View dqkv = as(values_.wide, tokens, 3 * dim);
    ops_.attention_backward(batch, how, t.q, t.k, t.v, t.ctx, t.lse, dctx, dqkv.columns(0, dim),
                            dqkv.columns(dim, dim), dqkv.columns(2 * dim, dim));
    ops_.linear_backward_weight(dqkv, values_.x, g.qkv().weight, g.qkv().bias, gradients.add);
    if (trains_below(index)) ops_.linear_backward_input(dqkv, w.qkv().weight, dx, true);
  }
  // Exactly zero, since softmax ignores what all keys share; the sum just taken is rounding noise, which
  // AdamW would blow up to full steps.
  clear(g.k_lin.bias);
}

void DistilBert::input_again(const Parameters& w, size_t index) {
  if (index == 0) return first_input(w);
  const LayerValues& below = values_.layers[index - 1];
  normalise(w.layers[index - 1].output_layer_norm, below.s2, below.mean2, below.rstd2, values_.x);
}

// --- Memory ---

DistilBert::Values DistilBert::cut(Cutter& cutter, const Batch& batch, Mode mode) const {
  const int64_t tokens = batch.tokens();
  const int64_t rows = batch.rows;
  const int64_t dim = shape_.dim;
  Values t;
  t.e = cutter.matrix(tokens, dim);
  t.e_mean = cutter.vector(tokens);
  t.e_rstd = cutter.vector(tokens);
  t.x = cutter.matrix(tokens, dim);
  t.x1 = cutter.matrix(tokens, dim);

  for (size_t index = 0; index < static_cast<size_t>(shape_.layers); ++index) {
    const bool last = is_last(index);
    const bool shared = mode == Mode::evaluation || static_cast<int64_t>(index) < frozen_.layers;
    const int64_t queries = last ? rows : tokens;
    LayerValues layer;
    if (shared && index > 0 && !last) {
      layer = t.layers.back();
    } else {
      layer.x_queries = last ? cutter.matrix(rows, dim) : t.x;
      if (last) {
        layer.kv = cutter.matrix(tokens, 2 * dim);
        layer.q = cutter.matrix(rows, dim);
        layer.k = layer.kv.columns(0, dim);
        layer.v = layer.kv.columns(dim, dim);
      } else {
        layer.qkv = cutter.matrix(tokens, 3 * dim);
        layer.q = layer.qkv.columns(0, dim);
        layer.k = layer.qkv.columns(dim, dim);
        layer.v = layer.qkv.columns(2 * dim, dim);
      }
      layer.ctx = cutter.matrix(queries, dim);
      layer.lse = cutter.matrix(shape_.heads, queries);
      layer.s1 = cutter.matrix(queries, dim);
      layer.mean1 = cutter.vector(queries);
      layer.rstd1 = cutter.vector(queries);
      layer.h = cutter.matrix(queries, shape_.hidden_dim);
      layer.s2 = cutter.matrix(queries, dim);
      layer.mean2 = cutter.vector(queries);
      layer.rstd2 = cutter.vector(queries);
      layer.y = last ? cutter.matrix(queries, dim) : t.x;
    }
    t.layers.push_back(layer);
  }
  t.pooled = cutter.matrix(rows, dim);
  t.logits = cutter.matrix(rows, shape_.labels);
  t.wide = cutter.matrix(tokens, std::max(shape_.hidden_dim, 3 * dim));
  if (mode == Mode::training) {
    t.d = cutter.matrix(tokens, dim);
    t.dx = cutter.matrix(tokens, dim);
    t.d_first = cutter.matrix(rows, dim);
    t.dq_first = cutter.matrix(rows, dim);
  }
  return t;
}

}  // namespace distiltune::engine
