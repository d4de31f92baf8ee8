#include <algorithm>
#include <cstdio>
#include <functional>
#include <numeric>

#include "safetensors.h"

namespace distiltune::files {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + '"';
}

struct Elements {
  const char* dtype;
  uint64_t width;
  const void* data;
};

Elements elements_of(const FloatTensor& tensor) {
  if (tensor.bytes) return {"I8", sizeof(int8_t), tensor.bytes};
  if (tensor.halves) return {"BF16", sizeof(uint16_t), tensor.halves};
  return {"F32", sizeof(float), tensor.data};
}

uint64_t bytes_of(const FloatTensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), elements_of(tensor).width,
                         std::multiplies<>());
}

}  // namespace

void write_safetensors(const std::string& path, const std::vector<FloatTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const FloatTensor*> sorted;
  for (const FloatTensor& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });

  std::string header = "{";
  const auto key = [&](const std::string& name) {
    header += (header.size() > 1 ? "," : "") + quoted(name) + ":";
  };
  if (!metadata.empty()) {
    key("__metadata__");
    header += '{';
    for (const auto& [name, value] : metadata)
      header += (header.back() == '{' ? "" : ",") + quoted(name) + ":" + quoted(value);
    header += '}';
  }
  uint64_t end = 0;
  for (const FloatTensor* tensor : sorted) {
    const uint64_t begin = end;
    end += bytes_of(*tensor);
    std::string shape;
    for (const uint64_t size : tensor->shape) shape += (shape.empty() ? "" : ",") + std::to_string(size);
    key(tensor->name);
    header += std::string("{\"dtype\":\"") + elements_of(*tensor).dtype + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');

  OutputFile file(path);
  unsigned char length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<unsigned char>(static_cast<uint64_t>(header.size()) >> (8 * i));
  file.write(length, sizeof length);
  file.write(header.data(), header.size());
  for (const FloatTensor* tensor : sorted)
    file.write(elements_of(*tensor).data, static_cast<size_t>(bytes_of(*tensor)));
  file.finish();
}

}  // namespace distiltune::files
