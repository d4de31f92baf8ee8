#include "packed.h"

#include <cstring>
#include <filesystem>
#include <new>
#include <random>
#include <system_error>

#include "../failure.h"
#include "../files/file.h"
#include "../files/mapped_file.h"
#include "../kernels/gemm_int8.h"
#include "../kernels/inner.h"
#include "../kernels/inner_bf16.h"
#include "../kernels/inner_int8.h"
#include "../kernels/packed_linear.h"
#include "narrow.h"
#include "weights.h"

namespace distiltune::model {
namespace {

constexpr std::align_val_t alignment{64};
/** To be raised with any change of PackedLayout, of packed layers or of how weights become narrower numbers.
 */
constexpr uint32_t packed_version = 3;

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
    switch (dtype_) {
      case Dtype::fp32:
        return floats(layout.words);
      case Dtype::bf16:
        return bf16_matrix(at<uint16_t>(layout.words));
      case Dtype::int8:
        return int8_matrix(Rule::none, at<int8_t>(layout.words), at<float>(layout.word_scales));
    }
  }

  /** The next `joined` linear layers, one below the other. */
  void linear(size_t place, int joined, Dtype dtype) {
    const int64_t outputs = parameters_[next_].rows, inputs = parameters_[next_].cols;
    const int64_t rows = joined * outputs;
    bias_.resize(static_cast<size_t>(rows));
    const auto each = [&](auto matrix) {
      for (int i = 0; i < joined; ++i) {
        matrix(i * outputs);
        file_.read(next_++, bias_.data() + i * outputs);
      }
    };
    if (dtype != Dtype::int8) {
      values_.resize(static_cast<size_t>(rows * inputs));
      each([&](int64_t row) { file_.read(next_++, values_.data() + row * inputs); });
      const auto pack = dtype == Dtype::bf16 ? kernels::Bf16Linear::pack : kernels::FloatLinear::pack;
      return pack(values_.data(), bias_.data(), rows, inputs, to_ + place);
    }
    quantised_.resize(static_cast<size_t>(rows * inputs));
    scales_.resize(bias_.size());
    each([&](int64_t row) {
      int8_matrix(Rule::groups, quantised_.data() + row * inputs, scales_.data() + row);
    });
    kernels::Int8Linear::pack(quantised_.data(), scales_.data(), bias_.data(), rows, inputs, to_ + place);
  }

  /** The next parameter, a matrix. */
  void bf16_matrix(uint16_t* to) {
    values_.resize(static_cast<size_t>(parameters_[next_].count()));
    file_.read(next_++, values_.data());
    round_to_bf16(values_.data(), static_cast<int64_t>(values_.size()), to);
  }

  /** The next parameter, a matrix, with a scale for each row. */
  void int8_matrix(Rule rule, int8_t* q, float* scales) {
    const ParameterInfo& info = parameters_[next_];
    if (file_.read_int8(next_, q, scales) && keeps(rule, info, q)) {
      ++next_;
      return;
    }
    values_.resize(static_cast<size_t>(info.count()));
    file_.read(next_++, values_.data());
    quantise(rule, info, values_.data(), q, scales);
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

/** In a file of the cache before the weights. Written and compared as it lies in memory: the file belongs to
 * this machine. */
struct Header {
  Header(const Shape& shape, Dtype dtype, const PackedLayout& layout)
      : dtype(static_cast<uint32_t>(dtype)),
        isa(static_cast<uint32_t>(kernels::inner().isa)),
        int8_isa(static_cast<uint32_t>(kernels::inner_int8().isa)),
        bf16_isa(static_cast<uint32_t>(kernels::inner_bf16().isa)),
        shape{shape.vocab_size, shape.max_positions, shape.layers, shape.heads,
              shape.dim,        shape.hidden_dim,    shape.labels, static_cast<int64_t>(shape.activation)},
        bytes(layout.end) {}

  char magic[8] = {'D', 'T', 'P', 'A', 'C', 'K', 'E', 'D'};
  uint32_t version = packed_version, dtype, isa, int8_isa, bf16_isa, zero = 0;
  int64_t shape[8];
  uint64_t bytes;
  char zeros[24] = {};
};
static_assert(sizeof(Header) == 128, "no holes between the fields, and what follows is aligned to 64");

/** Whether the file holds just these weights, packed by this version on such a machine. */
bool fits(files::MappedFile& file, const Header& header) {
  return file.size() == sizeof header + header.bytes &&
         std::memcmp(file.at(0, sizeof header), &header, sizeof header) == 0;
}

std::unique_ptr<files::MappedFile> open(const std::string& path, const Header& header) {
  try {
    auto file = std::make_unique<files::MappedFile>(path, files::Reading::all);
    if (fits(*file, header)) return file;
  } catch (const Failure&) {  // not there, or not to be read: it is packed anew
  }
  return nullptr;
}

/** Writes the file whole or leaves what was there. */
void write(const std::string& path, const Header& header, const unsigned char* weights) {
  const std::string temporary = path + "." + std::to_string(std::random_device{}());
  std::error_code error;
  try {
    files::OutputFile file(temporary);
    file.write(&header, sizeof header);
    file.write(weights, static_cast<size_t>(header.bytes));
    file.finish();
    std::filesystem::rename(std::filesystem::u8path(temporary), std::filesystem::u8path(path), error);
  } catch (const Failure&) {  // the weights stay in memory
    error = std::make_error_code(std::errc::io_error);
  }
  if (error) std::filesystem::remove(std::filesystem::u8path(temporary), error);
}

}  // namespace

struct PackedWeights::Memory {
  ~Memory() { ::operator delete(block, alignment); }

  std::unique_ptr<files::MappedFile> file;
  unsigned char* block = nullptr;  // where there is no file
};

PackedWeights::PackedWeights(const std::string& weights, const Shape& shape, Dtype dtype,
                             const std::string& cache)
    : layout_(checked(shape), dtype), memory_(new Memory) {
  const Header header(shape, dtype, layout_);
  if (!cache.empty()) memory_->file = open(cache, header);
  if (!memory_->file) {
    memory_->block = static_cast<unsigned char*>(::operator new(layout_.end, alignment));
    std::memset(memory_->block, 0, layout_.end);  // what lies between the parts is written to the file too
    Packer(weights, shape, dtype, memory_->block).pack(layout_);
    if (!cache.empty()) {
      write(cache, header, memory_->block);
      memory_->file = open(cache, header);
    }
  }
  data_ = memory_->block;
  if (memory_->file) {
    data_ = memory_->file->at(sizeof header, header.bytes);
    ::operator delete(memory_->block, alignment);
    memory_->block = nullptr;
  }
}

PackedWeights::~PackedWeights() = default;

}  // namespace distiltune::model
