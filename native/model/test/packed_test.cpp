#include "model/packed.h"

#include <filesystem>

#include "failure.h"
#include "model/narrow.h"
#include "model/save.h"
#include "model/test/worked_model.h"
#include "test/check.h"
#include "test/files.h"
#include "test/refusal.h"

using namespace distiltune;
using distiltune::test::bytes_of;
using distiltune::test::TemporaryFolder;
using distiltune::test::write_bytes;
using model::Dtype;
using model::Shape;
using namespace model::test;

namespace {

const Shape shape{30, 20, 2, 2, 20, 36, 3, model::Activation::gelu};
const std::vector<int32_t> ids = {1, 7, 9, 3, 4, 29, 2}, offsets = {0, 2, 3, 7};

std::vector<float> answer(const std::string& weights, Dtype dtype, const std::string& cache,
                          const Shape& of = shape) {
  model::Predictor predictor = open(weights, of, 1, dtype, cache);
  return logits(predictor, ids, offsets);
}

std::string refusal(const std::string& weights, const std::string& cache) {
  return test::code_of([&] { answer(weights, Dtype::fp32, cache); });
}

}  // namespace

CASE("what was packed once is read from the cache, to the same bits, and no weights are needed for it") {
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16, Dtype::int8}) {
    TemporaryFolder folder;
    const std::string weights = folder / "model.safetensors", cache = folder / "packed";
    write_worked_model(weights, shape);
    const std::vector<float> want = answer(weights, dtype, "");
    CHECK(answer(weights, dtype, cache) == want);
    const std::string packed = bytes_of(cache);
    CHECK(packed.size() > model::PackedLayout(shape, dtype).end);
    std::filesystem::remove(weights);
    CHECK(answer(weights, dtype, cache) == want);
    CHECK(bytes_of(cache) == packed);
    CHECK(std::distance(std::filesystem::directory_iterator(folder / "."), {}) == 1);
  }
}

CASE(
    "a file that was cut short, or is of another version, shape, dtype or no file of ours, is written anew") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors", cache = folder / "packed";
  write_worked_model(weights, shape);
  const std::vector<float> want = answer(weights, Dtype::fp32, cache);
  const std::string good = bytes_of(cache);
  std::string other_version = good, other_magic = good, other_size = good;
  other_version[8] ^= 1;
  other_magic[0] = 'X';
  other_size += '\0';
  for (const std::string& bad : {good.substr(0, good.size() - 1), good.substr(0, 100), std::string(),
                                 std::string("{}"), other_version, other_magic, other_size}) {
    write_bytes(cache, bad);
    CHECK(answer(weights, Dtype::fp32, cache) == want);
    CHECK(bytes_of(cache) == good);
  }
  for (const Dtype other : {Dtype::int8, Dtype::bf16}) {
    const std::vector<float> of_other = answer(weights, other, "");
    CHECK(of_other != want);
    CHECK(answer(weights, other, cache) == of_other);
    CHECK(bytes_of(cache) != good);
  }
  CHECK(answer(weights, Dtype::fp32, cache) == want);
  Shape relu = shape;
  relu.activation = model::Activation::relu;
  CHECK(answer(weights, Dtype::fp32, cache, relu) == answer(weights, Dtype::fp32, "", relu));
}

CASE("a cache that cannot be written means packing into memory") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors";
  write_worked_model(weights, shape);
  const std::vector<float> want = answer(weights, Dtype::int8, "");
  CHECK(answer(weights, Dtype::int8, folder / "missing/packed") == want);
  std::filesystem::create_directory(folder / "taken");
  CHECK(answer(weights, Dtype::int8, folder / "taken") == want);
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "."), {}) == 2);
}

CASE("weights saved as int8 give the very logits int8 gave before, and go on as floats") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors", saved = folder / "int8.safetensors";
  write_worked_model(weights, shape);
  model::Predictor original = open(weights, shape, 1, Dtype::int8);
  model::save_weights(weights, shape, original.head(), Dtype::int8, saved);
  CHECK(answer(saved, Dtype::int8, "") == logits(original, ids, offsets));
  CHECK(bytes_of(saved).size() < bytes_of(weights).size());
  model::save_weights(saved, shape, original.head(), Dtype::int8, folder / "again.safetensors");
  CHECK(bytes_of(folder / "again.safetensors") == bytes_of(saved));

  // As floats they are the products with their scales: those of int8 but for its activations.
  const std::vector<float> floats = answer(saved, Dtype::fp32, "");
  const std::vector<float> exact = answer(weights, Dtype::fp32, "");
  double largest = 0;
  for (const float each : exact) largest = std::fmax(largest, std::fabs(each));
  CHECK(floats != exact);
  for (size_t i = 0; i < exact.size(); ++i) CHECK_NEAR(floats[i], exact[i], 0.06 * largest);
  model::save_weights(saved, shape, original.head(), Dtype::fp32, folder / "floats.safetensors");
  CHECK(answer(folder / "floats.safetensors", Dtype::fp32, "") == floats);
}

CASE("weights saved as bf16 give the very logits bf16 gave before, and their own values as floats") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors", saved = folder / "bf16.safetensors";
  write_worked_model(weights, shape);
  model::Predictor original = open(weights, shape, 1, Dtype::bf16);
  model::save_weights(weights, shape, original.head(), Dtype::bf16, saved);
  CHECK(answer(saved, Dtype::bf16, "") == logits(original, ids, offsets));
  CHECK(bytes_of(saved).size() < bytes_of(weights).size());
  model::save_weights(saved, shape, original.head(), Dtype::bf16, folder / "again.safetensors");
  CHECK(bytes_of(folder / "again.safetensors") == bytes_of(saved));

  const model::WeightsFile exact(weights, shape), narrow(saved, shape);
  const std::vector<model::ParameterInfo> infos = model::parameters(shape);
  for (size_t place = 0; place < infos.size(); ++place) {
    std::vector<float> want(static_cast<size_t>(infos[place].count())), got(want.size());
    exact.read(place, want.data());
    narrow.read(place, got.data());
    const bool is_narrow = model::narrow_rule(infos[place]).has_value();
    CHECK(narrow.element(place) == (is_narrow ? "BF16" : "F32"));
    CHECK(is_narrow == (got != want));
    for (size_t i = 0; i < want.size(); ++i) CHECK_NEAR(got[i], want[i], 0x1p-8 * std::fabs(want[i]));
  }
}

CASE("what weights are stored in is what all that could be narrower is stored in") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors", narrow = folder / "narrow.safetensors";
  write_worked_model(weights, shape);
  const model::Head head = open(weights, shape, 1).head();
  for (const Dtype dtype : {Dtype::fp32, Dtype::bf16, Dtype::int8}) {
    model::save_weights(weights, shape, head, dtype, narrow);
    CHECK(model::stored_dtype(narrow, shape) == dtype);
  }
  model::save_weights(weights, shape, head, Dtype::bf16, narrow);
  std::string bytes = bytes_of(narrow);
  const size_t at = bytes.find("\"BF16\"", bytes.find("ffn.lin2.weight"));
  bytes.replace(at, 6, "\"F16\" ");  // one matrix of another type
  write_bytes(narrow, bytes);
  CHECK(model::stored_dtype(narrow, shape) == Dtype::fp32);
  CHECK(test::code_of([&] { model::stored_dtype(folder / "missing.safetensors", shape); }) ==
        "FILE_NOT_FOUND");
}

CASE("8-bit numbers that break the rule for groups are quantised anew") {
  TemporaryFolder folder;
  const std::string weights = folder / "model.safetensors", saved = folder / "int8.safetensors";
  write_worked_model(weights, shape);
  model::save_weights(weights, shape, open(weights, shape, 1).head(), Dtype::int8, saved);
  std::string bytes = bytes_of(saved);
  const std::string name = "distilbert.transformer.layer.0.ffn.lin1.weight";
  const size_t header = 8 + static_cast<size_t>(static_cast<unsigned char>(bytes[0])) +
                        256 * static_cast<size_t>(static_cast<unsigned char>(bytes[1]));
  const size_t offsets_at = bytes.find("data_offsets", bytes.find('"' + name + '"')) + 15;
  const size_t begin = header + std::stoul(bytes.substr(offsets_at));
  for (size_t i = 0; i < 20; ++i) bytes[begin + i] = 127;  // eight of them sum to 1016
  write_bytes(folder / "loud.safetensors", bytes);
  const std::vector<float> exact = answer(folder / "loud.safetensors", Dtype::fp32, "");
  const std::vector<float> got = answer(folder / "loud.safetensors", Dtype::int8, "");
  double largest = 0;
  for (const float each : exact) largest = std::fmax(largest, std::fabs(each));
  for (size_t i = 0; i < exact.size(); ++i) CHECK_NEAR(got[i], exact[i], 0.1 * largest);
}

CASE("what is wrong with the weights is told, and nothing is left in the cache") {
  TemporaryFolder folder;
  write_bytes(folder / "model.safetensors", "nonsense");
  CHECK(refusal(folder / "model.safetensors", folder / "packed") == "SAFETENSORS_INVALID");
  CHECK(refusal(folder / "missing.safetensors", folder / "packed") == "FILE_NOT_FOUND");
  CHECK(!std::filesystem::exists(folder / "packed"));
}

MAIN
