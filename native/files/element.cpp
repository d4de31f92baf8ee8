#include "element.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "half.h"

namespace distiltune::files {
namespace {

template <class Stored, class Convert>
void convert(const unsigned char* elements, size_t count, float* out, Convert to_float) {
  for (size_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, elements + i * sizeof stored, sizeof stored);
    out[i] = to_float(stored);
  }
}

}  // namespace

uint64_t bits_of(const std::string& dtype) {
  static const std::map<std::string, uint64_t> widths = {
      {"BOOL", 8},    {"U8", 8},      {"I8", 8},          {"F8_E5M2", 8},    {"F8_E4M3", 8}, {"F8_E8M0", 8},
      {"I16", 16},    {"U16", 16},    {"F16", 16},        {"BF16", 16},      {"I32", 32},    {"U32", 32},
      {"F32", 32},    {"I64", 64},    {"U64", 64},        {"F64", 64},       {"C64", 64},    {"F4", 4},
      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}};
  const auto found = widths.find(dtype);
  return found == widths.end() ? 0 : found->second;
}

bool is_float(const std::string& dtype) {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

void to_floats(const std::string& dtype, const unsigned char* elements, size_t count, float* out) {
  if (dtype == "F16")
    convert<uint16_t>(elements, count, out, half_to_float);
  else if (dtype == "BF16")
    convert<uint16_t>(elements, count, out, bfloat_to_float);
  else if (dtype == "F64")
    convert<double>(elements, count, out, [](double value) { return static_cast<float>(value); });
  else
    std::memcpy(out, elements, count * sizeof(float));
}

void read_floats(const InputFile& file, uint64_t offset, const std::string& dtype, uint64_t count,
                 float* out) {
  if (dtype == "F32") return file.read(offset, out, static_cast<size_t>(count) * sizeof(float));
  const size_t width = bits_of(dtype) / 8;
  std::vector<unsigned char> buffer(static_cast<size_t>(std::min<uint64_t>(elements_at_a_time, count)) *
                                    width);
  for (uint64_t done = 0; done < count;) {
    const auto some = static_cast<size_t>(std::min<uint64_t>(elements_at_a_time, count - done));
    file.read(offset + done * width, buffer.data(), some * width);
    to_floats(dtype, buffer.data(), some, out + done);
    done += some;
  }
}

}  // namespace distiltune::files
