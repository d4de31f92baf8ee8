#include "model/packed.h"

#include <filesystem>

#include "failure.h"
#include "model/test/worked_model.h"
#include "test/check.h"
#include "test/files.h"

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
  try {
    answer(weights, Dtype::fp32, cache);
  } catch (const Failure& failure) {
    return failure.code;
  }
  return "";
}

}  // namespace

CASE("what was packed once is read from the cache, to the same bits, and no weights are needed for it") {
  for (const Dtype dtype : {Dtype::fp32, Dtype::int8}) {
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
  CHECK(answer(weights, Dtype::int8, cache) != want);
  CHECK(bytes_of(cache) != good);
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

CASE("what is wrong with the weights is told, and nothing is left in the cache") {
  TemporaryFolder folder;
  write_bytes(folder / "model.safetensors", "nonsense");
  CHECK(refusal(folder / "model.safetensors", folder / "packed") == "SAFETENSORS_INVALID");
  CHECK(refusal(folder / "missing.safetensors", folder / "packed") == "FILE_NOT_FOUND");
  CHECK(!std::filesystem::exists(folder / "packed"));
}

MAIN
