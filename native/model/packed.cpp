#include "packed.h"

#include <algorithm>
#include <new>

#include "../failure.h"
#include "../kernels/gemm.h"
#include "../kernels/gemm_int8.h"
#include "weights.h"

namespace distiltune::model {
namespace {

constexpr std::align_val_t alignment{64};

const Shape& checked(const Shape& shape) {
  check(shape);
  return shape;
}

/** Lays a file's parameters out one after another, in registration order. */
class Packer {
 public:
  Packer(const std::string& path, const Shape& shape, Dtype dtype, unsigned char* to)
      : file_(path, shape), parameters_(parameters(shape)), shape_(shape), dtype_(dtype), to_(to) {
    if (!file_.loaded().initialized.empty())
      throw Failure("MODEL_NOT_TRAINED",
                    path + " holds a body without a trained head: `" + file_.loaded().initialized.front() +
                        "` is missing",
                    "train one first: distiltune train --model DIR --train train.csv");
  }

  void pack(const PackedLayout& layout) {
    words(layout);
    floats(layout.positions);
    layer_norm(layout.embeddings_layer_norm);
    for (const PackedLayout::Layer& layer : layout.layers) {
      linear(layer.q_lin, 1, dtype_);
      linear(layer.kv_lin, 2, dtype_);
      linear(layer.out_lin, 1, dtype_);
      layer_norm(layer.sa_layer_norm);
      linear(layer.lin1, 1, dtype_);
      linear(layer.lin2, 1, dtype_);
      layer_norm(layer.output_layer_norm);
    }
    linear(layout.pre_classifier, 1, Dtype::fp32);
    floats(layout.head_weight);
    floats(layout.head_bias);
  }

 private:
  template <class Value>
  Value* at(size_t place) {
    return reinterpret_cast<Value*>(to_ + place);
  }

  void floats(size_t place) { file_.read(next_++, at<float>(place)); }

  void layer_norm(const PackedLayout::LayerNorm& norm) {
    floats(norm.gamma);
    floats(norm.beta);
  }

  void words(const PackedLayout& layout) {
    if (dtype_ == Dtype::fp32) return floats(layout.words);
    values_.resize(static_cast<size_t>(shape_.vocab_size * shape_.dim));
    file_.read(next_++, values_.data());
    for (int64_t word = 0; word < shape_.vocab_size; ++word)
      at<float>(layout.word_scales)[word] = kernels::quantise_row(
          values_.data() + word * shape_.dim, shape_.dim, at<int8_t>(layout.words) + word * shape_.dim);
  }

  /** The next `joined` linear layers, one below the other. */
  void linear(size_t place, int joined, Dtype dtype) {
    const int64_t outputs = parameters_[next_].rows, inputs = parameters_[next_].cols;
    values_.resize(static_cast<size_t>(joined * outputs * inputs));
    bias_.resize(static_cast<size_t>(joined * outputs));
    for (int i = 0; i < joined; ++i) {
      file_.read(next_++, values_.data() + i * outputs * inputs);
      file_.read(next_++, bias_.data() + i * outputs);
    }
    const int64_t rows = joined * outputs;
    if (dtype == Dtype::fp32)
      return kernels::PackedLinear::pack(values_.data(), bias_.data(), rows, inputs, to_ + place);
    quantised_.resize(values_.size());
    scales_.resize(bias_.size());
    for (int64_t row = 0; row < rows; ++row)
      scales_[static_cast<size_t>(row)] = kernels::quantise_weights(values_.data() + row * inputs, inputs,
                                                                    quantised_.data() + row * inputs);
    kernels::Int8Linear::pack(quantised_.data(), scales_.data(), bias_.data(), rows, inputs, to_ + place);
  }

  WeightsFile file_;
  std::vector<ParameterInfo> parameters_;
  Shape shape_;
  Dtype dtype_;
  unsigned char* to_;
  size_t next_ = 0;  // place in parameters_
  std::vector<float> values_, bias_, scales_;
  std::vector<int8_t> quantised_;
};

}  // namespace

struct PackedWeights::Memory {
  explicit Memory(size_t bytes) : data(static_cast<unsigned char*>(::operator new(bytes, alignment))) {}
  ~Memory() { ::operator delete(data, alignment); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  unsigned char* data;
};

PackedWeights::PackedWeights(const std::string& weights, const Shape& shape, Dtype dtype,
                             const std::string& cache)
    : layout_(checked(shape), dtype), memory_(new Memory(layout_.end)), data_(memory_->data) {
  Packer(weights, shape, dtype, memory_->data).pack(layout_);
}

PackedWeights::~PackedWeights() = default;

}  // namespace distiltune::model
