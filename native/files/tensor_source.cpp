#include "tensor_source.h"

#include <algorithm>

#include "../failure.h"
#include "element.h"
#include "pytorch_bin.h"
#include "safetensors.h"
#include "shards.h"

namespace distiltune::files {
namespace {

bool ends(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

}  // namespace

std::unique_ptr<TensorSource> open_tensors(const std::string& path) {
  if (ends(path, ".index.json")) return std::make_unique<ShardedReader>(path);
  if (ends(path, ".bin")) return std::make_unique<PytorchReader>(path);
  return std::make_unique<SafetensorsReader>(path);
}

void TensorSource::read(size_t place, float* out) const {
  require_float(tensors()[place], path());
  read_floats(place, out);
}

void TensorSource::read_int8(size_t place, int8_t* out) const {
  const TensorInfo& tensor = tensors()[place];
  if (tensor.dtype != "I8")
    throw Failure("TENSOR_DTYPE",
                  shown(tensor.name) + " in " + path() + " is " + tensor.dtype + ", expected I8");
  read_bytes(place, out);
}

void TensorSource::read_bytes(size_t place, int8_t*) const {
  throw Failure("TENSOR_DTYPE", shown(tensors()[place].name) + " in " + path() +
                                    " is I8, which is read from one safetensors file alone");
}

void require_float(const TensorInfo& tensor, const std::string& path) {
  if (!is_float(tensor.dtype))
    throw Failure("TENSOR_DTYPE", shown(tensor.name) + " in " + path + " is " + tensor.dtype +
                                      ", expected F32, F16, BF16 or F64");
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::string shown(const std::string& name) {
  size_t length = std::min<size_t>(name.size(), 120);
  while (length < name.size() && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80)
    --length;  // not within a character
  std::string text = name.substr(0, length);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) c = '?';
  return "`" + text + (length < name.size() ? "...`" : "`");
}

}  // namespace distiltune::files
