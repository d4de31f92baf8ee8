#pragma once
#include <string>
#include <vector>

#include "../model/shape.h"
#include "../model/weights.h"
#include "workspace.h"

namespace distiltune::engine {

struct Linear {
  View weight;  // (out, in)
  View bias;    // (1, out)
};

struct LayerNorm {
  View weight;  // (1, dim)
  View bias;    // (1, dim)
};

/** Named as in the checkpoint. q, k and v lie end to end, so that two or three can be one product. */
struct Layer {
  Linear q_lin, k_lin, v_lin, out_lin;
  LayerNorm sa_layer_norm;
  Linear lin1, lin2;
  LayerNorm output_layer_norm;

  Linear qkv() const { return joined(q_lin, 3); }
  Linear kv() const { return joined(k_lin, 2); }

 private:
  static Linear joined(Linear first, int64_t count) {
    first.weight.rows *= count;
    first.bias.cols *= count;
    first.bias.stride *= count;
    return first;
  }
};

/** All parameters of the classifier, or one value for each of them: gradients, moments. */
struct Parameters {
  View word_embeddings;      // (vocab, dim); none where these are gradients, which are compact there
                             // (WordGradient)
  View position_embeddings;  // (max_positions, dim)
  LayerNorm embeddings_layer_norm;
  std::vector<Layer> layers;
  Linear pre_classifier;  // (dim, dim)
  Linear classifier;      // (labels, dim)
};

/**
 * Owns one value per parameter, in three runs of memory: the word table, the other parameters that weight
 * decay applies to, those that it spares. So the optimizer makes three calls, and q, k and v are neighbours.
 * Each run is in the order of model::parameters, so that what a store leaves out is missing in front.
 */
class ParameterStore {
 public:
  enum class WordTable { kept, absent };

  /** Values are zero. The first `frozen` of model::parameters(shape) are left out: the embeddings and some
   * layers. */
  ParameterStore(const model::Shape& shape, DType dtype, WordTable word_table, size_t frozen = 0);

  const Parameters& parameters() const { return parameters_; }
  View word_table() const { return parameters_.word_embeddings; }
  View decayed() const { return decayed_; }  // (1, count), word table left out
  View spared() const { return spared_; }    // (1, count)
  size_t bytes() const { return buffer_.bytes(); }

  /** In the order of model::parameters(shape); none where a parameter is left out. */
  const std::vector<View>& views() const { return views_; }

  void clear();

 private:
  Buffer buffer_;
  View decayed_, spared_;
  std::vector<View> views_;
  Parameters parameters_;
};

}  // namespace distiltune::engine
