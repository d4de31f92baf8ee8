#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../files/tensor_source.h"
#include "shape.h"

namespace distiltune::model {

/** One parameter of DistilBertForSequenceClassification. */
struct ParameterInfo {
  std::string name;  // as in a checkpoint: "distilbert.transformer.layer.0.attention.q_lin.weight"
  int64_t rows;
  int64_t cols;  // 0: a vector of `rows` values
  bool decay;    // weight decay applies: neither a bias nor part of a LayerNorm

  int64_t count() const { return cols == 0 ? rows : rows * cols; }
  /** Its shape in a file. */
  std::vector<uint64_t> sizes() const {
    if (cols == 0) return {static_cast<uint64_t>(rows)};
    return {static_cast<uint64_t>(rows), static_cast<uint64_t>(cols)};
  }
};

/** Places in parameters(): four embedding tensors, sixteen per layer, four of the head. */
inline constexpr int64_t embedding_parameters = 4;
inline constexpr int64_t layer_parameters = 16;
inline constexpr int64_t head_parameters = 4;

/** Every parameter in the order Transformers registers them. */
std::vector<ParameterInfo> parameters(const Shape& shape);

/** What became of the two sides that need not match. */
struct Loaded {
  /** Head parameters the file does not have; nothing is read for them. */
  std::vector<std::string> initialized;
  /** The file's own keys that a classifier has no use for: masked-LM and pooling heads, position_ids. */
  std::vector<std::string> ignored;
};

/**
 * The parameters in weights of any form that files::open_tensors reads. Accepts names with or without the
 * prefix `distilbert.`, old gamma / beta names, and BERT encoders (with or without `bert.`), whose token-type
 * row 0 is added to every row of the word table. A matrix may be I8 beside its rows' scales, F32 under its
 * name and `_scale` (docs/model-folder.md); both are then read as their products.
 */
class WeightsFile {
 public:
  /** Checks every name, shape and dtype; reads no values. Throws MODEL_SHAPE_INVALID, what
   * files::open_tensors throws, TENSOR_MISSING, TENSOR_UNEXPECTED, TENSOR_SHAPE or TENSOR_DTYPE. */
  WeightsFile(const std::string& path, const Shape& shape);

  const std::string& path() const { return file_->path(); }
  const Loaded& loaded() const { return loaded_; }
  /** What parameters(shape)[place] is made of in the file, as safetensors spells it: "F32", and "I8" where it
   * has scales; empty where loaded().initialized has it. */
  std::string element(size_t place) const {
    return places_[place] ? file_->tensors()[*places_[place]].dtype : "";
  }
  /** Reads parameters(shape)[place] into count() floats; false, and `out` untouched, where
   * loaded().initialized has it. */
  bool read(size_t place, float* out) const;
  /** The matrix as it lies in the file where that is 8-bit numbers with a scale a row: count() of `out`, rows
   * of `scales`; false, and both untouched, where it lies there as floats. */
  bool read_int8(size_t place, int8_t* out, float* scales) const;

 private:
  void read_products(size_t place, float* out) const;

  std::unique_ptr<files::TensorSource> file_;
  Shape shape_;
  std::vector<std::optional<size_t>> places_;  // in the file, one per parameter; none where it has none
  std::vector<std::optional<size_t>> scales_;  // of 8-bit numbers, likewise
  std::optional<size_t> token_types_;
  Loaded loaded_;
};

/** All of them: one float array per entry of parameters(shape), each of exactly count() floats. */
Loaded load_weights(const std::string& path, const Shape& shape, float* const* destinations);

}  // namespace distiltune::model
