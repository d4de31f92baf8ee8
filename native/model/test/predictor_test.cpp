#include "model/predictor.h"

#include "failure.h"
#include "model/test/worked_model.h"
#include "test/check.h"
#include "test/files.h"
#include "test/refusal.h"

using namespace distiltune;
using distiltune::test::TemporaryFolder;
using model::Batch;
using model::Shape;
using namespace model::test;

namespace {

const Shape worked{8, 4, 1, 2, 4, 6, 2, model::Activation::gelu};

std::string refusal(const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets, int64_t ids_count) {
  try {
    model::check(Batch{ids.data(), offsets.data(), static_cast<int64_t>(offsets.size()) - 1}, ids_count,
                 worked);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "";
}

}  // namespace

CASE("the worked example gives Transformers' logits") {
  TemporaryFolder folder;
  write_worked_model(folder / "model.safetensors", worked);
  model::Predictor predictor = open(folder / "model.safetensors", worked, 1);
  const std::vector<float> got = logits(predictor, {1, 2, 3, 4, 5}, {0, 3, 5});
  // Transformers 4.18 in float64; float32 with values below 2 keeps six digits
  const double want[] = {0.2294237940, -0.1854491520, 0.2883458138, -0.1192667037};
  for (size_t i = 0; i < 4; ++i) CHECK_NEAR(got[i], want[i], 1e-6);
}

CASE("a row has the same bits alone and in any company, for any number of threads") {
  const Shape shape{50, 40, 3, 4, 20, 36, 3, model::Activation::relu};
  TemporaryFolder folder;
  write_worked_model(folder / "model.safetensors", shape);
  std::vector<int32_t> ids, offsets = {0};
  for (const int32_t length : {1, 2, 3, 7, 17, 40, 5, 23, 1, 31}) {
    for (int32_t i = 0; i < length; ++i) ids.push_back((7 * i + length) % 50);
    offsets.push_back(offsets.back() + length);
  }
  for (const model::Dtype dtype : {model::Dtype::fp32, model::Dtype::bf16, model::Dtype::int8}) {
    model::Predictor one = open(folder / "model.safetensors", shape, 1, dtype),
                     three = open(folder / "model.safetensors", shape, 3, dtype);
    const std::vector<float> together = logits(one, ids, offsets);
    CHECK(logits(three, ids, offsets) == together);
    for (size_t row = 0; row + 1 < offsets.size(); ++row) {
      const std::vector<float> alone =
          logits(three, {ids.begin() + offsets[row], ids.begin() + offsets[row + 1]},
                 {0, offsets[row + 1] - offsets[row]});
      CHECK(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(row) * 3));
    }
  }
}

namespace {

/** Checks that a dtype gives other logits than fp32, but none further from them than this share of the
 * largest. */
void check_nearly(model::Dtype dtype, double share) {
  const Shape shape{50, 40, 3, 4, 48, 96, 3, model::Activation::gelu};
  TemporaryFolder folder;
  write_worked_model(folder / "model.safetensors", shape);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 37; ++i) ids.push_back(11 * i % 50);
  model::Predictor exact = open(folder / "model.safetensors", shape, 1),
                   coarse = open(folder / "model.safetensors", shape, 1, dtype);
  const std::vector<float> want = logits(exact, ids, {0, 5, 37}), got = logits(coarse, ids, {0, 5, 37});
  double largest = 0;
  for (const float each : want) largest = std::fmax(largest, std::fabs(each));
  CHECK(got != want);
  for (size_t i = 0; i < want.size(); ++i) CHECK_NEAR(got[i], want[i], share * largest);
}

}  // namespace

CASE("bf16 gives nearly the logits of fp32") {
  // Operands are off by a 2^-8th of themselves at most, a product by a 2^-7th. In a sum these errors have all
  // signs and mostly cancel, and so do those of 13 products one after another: measured .0014.
  check_nearly(model::Dtype::bf16, 0x1p-7);
}

CASE("int8 gives nearly the logits of fp32") {
  // Steps of a 127th at each of 13 products, summing as a walk: 127 / sqrt(13) of them make 3 percent.
  check_nearly(model::Dtype::int8, 0.06);
}

CASE("logits are the head over the features, under whatever head is given") {
  const Shape shape{50, 40, 2, 4, 20, 36, 3, model::Activation::gelu};
  TemporaryFolder folder;
  write_worked_model(folder / "model.safetensors", shape);
  model::Predictor predictor = open(folder / "model.safetensors", shape, 2);
  const int32_t ids[] = {1, 7, 9, 3, 4, 49, 2}, offsets[] = {0, 2, 3, 7};
  const Batch batch{ids, offsets, 3};
  std::vector<float> features(3 * 20), logits(3 * 3);
  predictor.features(batch, features.data(), std::atomic<bool>(false));
  for (const float each : features) CHECK(each >= 0);
  model::Head other = predictor.head();
  for (float& each : other.weight) each *= -2;
  other.bias = {1, 2, 3};
  for (const model::Head& head : {predictor.head(), other}) {
    predictor.logits(batch, head, logits.data(), std::atomic<bool>(false));
    for (size_t row = 0; row < 3; ++row) {
      for (size_t label = 0; label < 3; ++label) {
        double want = head.bias[label];
        for (size_t i = 0; i < 20; ++i)
          want += static_cast<double>(features[row * 20 + i]) * head.weight[label * 20 + i];
        CHECK_NEAR(logits[row * 3 + label], want, 1e-6);  // 20 float products of values below 2
      }
    }
  }
}

CASE("a head of other sizes is refused") {
  model::check(model::Head{std::vector<float>(8), std::vector<float>(2)}, 2, 4);
  for (const auto& [weights, biases] : {std::pair<size_t, size_t>{7, 2}, {8, 1}, {12, 3}, {0, 0}}) {
    const model::Head head{std::vector<float>(weights), std::vector<float>(biases)};
    CHECK(test::code_of([&] { model::check(head, 2, 4); }) == "HEAD_INVALID");
  }
}

CASE("a batch that would read outside memory is refused") {
  CHECK(refusal({1, 2, 3}, {0, 3}, 3).empty());
  CHECK(!refusal({}, {0}, 0).empty());
  CHECK(!refusal({1, 2, 3}, {1, 3}, 3).empty());
  CHECK(!refusal({1, 2, 3}, {0, 2}, 3).empty());
  CHECK(!refusal({1, 2, 3}, {0, 4}, 3).empty());
  CHECK(!refusal({1, 2, 3}, {0, 2, 1, 3}, 3).empty());
  CHECK(!refusal({1, 2, 3}, {0, 0, 3}, 3).empty());
  CHECK(!refusal({1, 2, 3}, {-2147483647 - 1, 2147483647}, 3).empty());
  CHECK(refusal({1, 8, 3}, {0, 3}, 3) == "Token id 8 is not in the vocabulary of 8");
  CHECK(!refusal({1, -1, 3}, {0, 3}, 3).empty());
  CHECK(refusal({1, 2, 3, 4, 5}, {0, 5}, 5) == "Row 0 has 5 tokens, expected 1 to 4");
}

CASE("a body without a head is refused with the way to train one") {
  TemporaryFolder folder;
  const std::vector<model::ParameterInfo> all = model::parameters(worked);
  const std::vector<float> zeros(64);
  std::vector<files::FloatTensor> body;
  for (const model::ParameterInfo& parameter : all) {
    if (parameter.name.rfind("distilbert.", 0) != 0) continue;
    body.push_back({parameter.name, parameter.sizes(), zeros.data()});
  }
  files::write_safetensors(folder / "body.safetensors", body, {});
  CHECK(test::code_of([&] { open(folder / "body.safetensors", worked, 1); }) == "MODEL_NOT_TRAINED");
}

CASE("a cancelled call ends early") {
  TemporaryFolder folder;
  write_worked_model(folder / "model.safetensors", worked);
  model::Predictor predictor = open(folder / "model.safetensors", worked, 1);
  const int32_t ids[] = {1, 2}, offsets[] = {0, 2};
  float out[2];
  std::string code;
  try {
    predictor.logits({ids, offsets, 1}, predictor.head(), out, std::atomic<bool>(true));
  } catch (const Failure& failure) {
    code = failure.code;
  }
  CHECK(code == "CANCELLED");
}

MAIN
