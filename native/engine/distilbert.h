#pragma once
#include <atomic>
#include <cstdint>
#include <vector>

#include "../model/shape.h"
#include "../model/weights.h"
#include "ops/ops.h"
#include "parameters.h"
#include "workspace.h"

namespace distiltune::engine {

/** Shares of values dropped in training, each from 0 to below 1. */
struct DropoutRates {
  float dropout;     // behind the embeddings and behind each feed-forward block
  float attention;   // of the attention probabilities
  float classifier;  // in front of the classifier
};

/** What is not trained, from below: the embeddings, then layers. */
struct Frozen {
  bool embeddings = false;
  int64_t layers = 0;  // none without the embeddings

  /** How many of model::parameters that are. */
  size_t parameters() const {
    return (embeddings ? model::embedding_parameters : 0) + layers * model::layer_parameters;
  }
};

/** Gradients of Parameters. */
struct Gradients {
  WordGradient word_embeddings;
  const Parameters& others;
  /** Whether weights of linear layers are added to, as all others always are, or overwritten. */
  bool add = false;
};

/** Looked at between layers, which then throw CANCELLED. */
using Cancelled = std::atomic<bool>;

/** DistilBertForSequenceClassification, forward and backward, on ragged batches. */
class DistilBert {
 public:
  /** The operations must outlive it. */
  DistilBert(Ops& ops, const model::Shape& shape, const DropoutRates& rates, uint64_t seed,
             Frozen frozen = {});

  /** Logits (rows, labels) without dropout, valid until the next call. Batches are checked by the caller. */
  View evaluate(const Parameters& w, const Batch& batch, const Cancelled& cancelled);

  /** Logits with dropout, whose masks hang on the seed and `micro_batch`; keeps what backward() needs. */
  View forward(const Parameters& w, const Batch& batch, uint64_t micro_batch, const Cancelled& cancelled);

  /** Adds the gradients of the batch that forward() has just seen, of all that is not frozen, or puts them
   * there (Gradients::add). dlogits (rows, labels). */
  void backward(const Parameters& w, const Batch& batch, View dlogits, Gradients& gradients,
                const Cancelled& cancelled);

 private:
  /** What a layer computes; its queries are all tokens or, in the last layer, first ones. */
  struct LayerValues {
    View x_queries;         // (queries, dim), the input's
    View q, k, v;           // (queries or tokens, dim), columns of qkv or kv
    View qkv, kv;           // (tokens, 3 dim) or, in the last layer, (tokens, 2 dim)
    View ctx, lse;          // (queries, dim), (heads, queries)
    View s1, mean1, rstd1;  // (queries, dim), (1, queries)
    View h;                 // (queries, hidden_dim), before the activation, which backward computes again
    View s2, mean2, rstd2;  // (queries, dim), (1, queries)
    View y;                 // (queries, dim)
  };

  struct Values {
    View e, e_mean, e_rstd;  // (tokens, dim), (1, tokens)
    // Outputs of LayerNorms, which backward computes again: the input of the layer at hand, and what its
    // feed-forward block reads.
    View x, x1;  // (tokens, dim)
    std::vector<LayerValues> layers;
    View pooled;  // (rows, dim)
    View logits;  // (rows, labels)
    View wide;    // (tokens, max(hidden_dim, 3 dim)): the activated h and, later, dh; dqkv
    // Gradients, in training alone.
    View d, dx;     // (tokens, dim)
    View d_first;   // (rows, dim)
    View dq_first;  // (rows, dim)
  };

  /** In evaluation all layers share the memory of one; in training those do that are frozen. */
  enum class Mode { evaluation, training };

  Values cut(Cutter& cutter, const Batch& batch, Mode mode) const;
  void run(const Parameters& w, const Batch& batch, const Cancelled& cancelled);
  void layer_forward(const Layer& w, const Batch& batch, size_t index, LayerValues& t);
  void layer_backward(const Parameters& w, const Batch& batch, size_t index, View dy, View dx,
                      Gradients& gradients);
  /** x = dropout(LayerNorm(e)), the input of the first layer. */
  void first_input(const Parameters& w);
  /** x = the input of a layer, as forward has had it. */
  void input_again(const Parameters& w, size_t index);
  /** y = LayerNorm(sum), and what backward needs of it. */
  void normalise(const LayerNorm& w, View sum, View mean, View rstd, View y);
  /** Whether anything below the layer is trained, so that the gradient of its input is wanted. */
  bool trains_below(size_t index) const {
    return !frozen_.embeddings || static_cast<int64_t>(index) > frozen_.layers;
  }
  bool is_last(size_t index) const { return index + 1 == static_cast<size_t>(shape_.layers); }

  // Places where values are dropped, numbered once: a mask hangs on its number.
  Dropout embeddings_dropout() const { return dropout(rates_.dropout, 0); }
  Dropout attention_dropout(size_t layer) const { return dropout(rates_.attention, 1 + 2 * layer); }
  Dropout output_dropout(size_t layer) const { return dropout(rates_.dropout, 2 + 2 * layer); }
  Dropout classifier_dropout() const { return dropout(rates_.classifier, 1 + 2 * shape_.layers); }
  Dropout dropout(float rate, uint32_t site) const;

  Ops& ops_;
  model::Shape shape_;
  DropoutRates rates_;
  uint64_t seed_;
  Frozen frozen_;
  Workspace workspace_;
  Values values_;
  Mode mode_ = Mode::evaluation;
  uint64_t micro_batch_ = 0;
};

}  // namespace distiltune::engine
