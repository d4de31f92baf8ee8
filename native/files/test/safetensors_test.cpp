#include "files/safetensors.h"

#include <cmath>

#include "failure.h"
#include "files/half.h"
#include "test/check.h"
#include "test/files.h"
#include "test/refusal.h"

// What hostile headers do is in test/30-model-hostile.test.ts; here is what needs values.

using namespace distiltune;
using distiltune::test::code_of;
using distiltune::test::TemporaryFolder;

namespace {

/** A file of one tensor with the bytes given. */
std::string one_tensor(const std::string& dtype, const std::string& shape, const std::string& data) {
  const std::string header = R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape +
                             R"(,"data_offsets":[0,)" + std::to_string(data.size()) + "]}}";
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[static_cast<size_t>(i)] = static_cast<char>(header.size() >> (8 * i));
  return length + header + data;
}

std::vector<float> read_one(const std::string& path) {
  const files::SafetensorsReader file(path);
  std::vector<float> values(file.tensors().at(0).count);
  file.read(0, values.data());
  return values;
}

std::string all_sixteen_bit_patterns() {
  std::string data;
  for (int i = 0; i < 65536; ++i) {
    data += static_cast<char>(i & 0xFF);
    data += static_cast<char>(i >> 8);
  }
  return data;
}

bool same_or_both_nan(float got, double want) {
  return std::isnan(want) ? std::isnan(got) : got == want && std::signbit(got) == std::signbit(want);
}

}  // namespace

CASE("every half precision number is widened exactly") {
  TemporaryFolder folder;
  test::write_bytes(folder / "half", one_tensor("F16", "[65536]", all_sixteen_bit_patterns()));
  const std::vector<float> values = read_one(folder / "half");
  for (int bits = 0; bits < 65536; ++bits) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                             : exponent == 0 ? std::ldexp(fraction, -24)
                                             : std::ldexp(1024 + fraction, exponent - 25);
    CHECK(same_or_both_nan(values[static_cast<size_t>(bits)], bits & 0x8000 ? -magnitude : magnitude));
  }
}

CASE("every bfloat16 number is widened exactly") {
  TemporaryFolder folder;
  test::write_bytes(folder / "bfloat", one_tensor("BF16", "[256,256]", all_sixteen_bit_patterns()));
  const std::vector<float> values = read_one(folder / "bfloat");
  for (int bits = 0; bits < 65536; ++bits) {
    const int exponent = bits >> 7 & 255, fraction = bits & 127;
    const double magnitude = exponent == 255 ? (fraction ? NAN : INFINITY)
                             : exponent == 0 ? std::ldexp(fraction, -133)
                                             : std::ldexp(128 + fraction, exponent - 134);
    CHECK(same_or_both_nan(values[static_cast<size_t>(bits)], bits & 0x8000 ? -magnitude : magnitude));
  }
}

CASE("tensors larger than the widening buffer are read whole") {
  TemporaryFolder folder;
  const size_t count = (1u << 18) + 5;
  std::string data;
  for (size_t i = 0; i < count; ++i) {
    data += static_cast<char>(0);
    data += static_cast<char>(i % 100 + 1);
  }
  test::write_bytes(folder / "large", one_tensor("BF16", "[" + std::to_string(count) + "]", data));
  const std::vector<float> values = read_one(folder / "large");
  for (size_t i = 0; i < count; ++i)
    CHECK(values[i] == files::bfloat_to_float(static_cast<uint16_t>((i % 100 + 1) << 8)));
}

CASE("a file of the reference library is read and written again byte by byte") {
  const std::string reference = test::fixture("tiny-model/model.safetensors");
  const files::SafetensorsReader file(reference);
  std::vector<std::vector<float>> values;
  std::vector<files::FloatTensor> tensors;
  for (size_t place = file.tensors().size(); place-- > 0;) {
    const files::TensorInfo& tensor = file.tensors()[place];
    values.emplace_back(tensor.count);
    file.read(place, values.back().data());
    tensors.push_back({tensor.name, tensor.shape, values.back().data()});
  }
  TemporaryFolder folder;
  files::write_safetensors(folder / "again", tensors, {{"format", "pt"}});
  CHECK(test::bytes_of(folder / "again") == test::bytes_of(reference));
}

CASE("names with quotes, controls and other scripts survive") {
  TemporaryFolder folder;
  const float value = 3.5f;
  const std::string name = "a\"b\\c\n\x01\xE6\xBC\xA2";
  files::write_safetensors(folder / "names", {{name, {}, &value}}, {});
  const files::SafetensorsReader file(folder / "names");
  CHECK(file.tensors().size() == 1 && file.tensors()[0].name == name && file.tensors()[0].shape.empty());
  CHECK(read_one(folder / "names") == std::vector<float>{3.5f});
}

CASE("element types that are not weights are listed, and refused when read") {
  const files::SafetensorsReader file(test::fixture("reference/element-types.safetensors"));
  CHECK(file.tensors().size() == 9);
  for (size_t place = 0; place < file.tensors().size(); ++place) {
    const std::string& dtype = file.tensors()[place].dtype;
    std::vector<float> values(file.tensors()[place].count);
    const bool weights = dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
    CHECK(code_of([&] { file.read(place, values.data()); }) == (weights ? "" : "TENSOR_DTYPE"));
  }
}

CASE("a file cut short after it was opened is an error, not a crash") {
  TemporaryFolder folder;
  test::write_bytes(folder / "cut", one_tensor("F32", "[4]", std::string(16, 'x')));
  const files::SafetensorsReader file(folder / "cut");
  std::filesystem::resize_file(folder / "cut", test::bytes_of(folder / "cut").size() - 4);
  std::vector<float> values(4);
  CHECK(code_of([&] { file.read(0, values.data()); }) == "FILE_NOT_READABLE");
}

CASE("writing says what the system said") {
  TemporaryFolder folder;
  const std::vector<float> zeros(100'000);
  const std::vector<files::FloatTensor> tensors = {{"t", {zeros.size()}, zeros.data()}};
  CHECK(code_of([&] { files::write_safetensors(folder / "no/such/folder", tensors, {}); }) == "NOT_WRITABLE");
#ifdef __linux__
  CHECK(code_of([&] { files::write_safetensors("/dev/full", tensors, {}); }) == "DISK_FULL");
#endif
}

MAIN
