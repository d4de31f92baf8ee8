// Newly drawn heads at the size of distilbert-base-uncased; the smaller ones are in test/41-engine.test.ts.
#include "../train/head.h"

#include <chrono>

#include "../workspace.h"
#include "examples.h"

namespace distiltune::engine::test {
namespace {

constexpr int64_t dim = 768;

struct Head {
  std::vector<float> pre_classifier, classifier;
};

/** Of seed 42, with all four parameters missing. */
Head drawn(int64_t labels, HeadDraws draws) {
  const model::Shape shape{30522, 512, 6, 12, dim, 3072, labels, Activation::gelu};
  const auto infos = model::parameters(shape);
  Head head{std::vector<float>(dim * dim), std::vector<float>(labels * dim)};
  std::vector<float> biases[2] = {std::vector<float>(dim, 1), std::vector<float>(labels, 1)};
  std::vector<float>* const values[] = {&head.pre_classifier, &biases[0], &head.classifier, &biases[1]};
  std::vector<View> views(infos.size());
  std::vector<std::string> missing;
  for (int64_t index = 0; index < model::head_parameters; ++index) {
    const size_t place = infos.size() - model::head_parameters + index;
    views[place] = {values[index]->data(), DType::f32, 1, infos[place].count(), infos[place].count()};
    missing.push_back(infos[place].name);
  }
  draw_head(views, infos, missing, 0.02, 42, draws);
  for (const auto& bias : biases) {
    for (const float value : bias) CHECK(value == 0);
  }
  return head;
}

void check_first(const std::vector<float>& got, const double (&want)[4]) {
  for (int at = 0; at < 4; ++at)
    CHECK_NEAR(got[at], want[at], 3e-8);  // so far apart are torch's instruction sets
}

CASE("after the constructors: the heads of Transformers 4.18 for seed 42, two and six labels") {
  const Head two = drawn(2, HeadDraws::after_constructors), six = drawn(6, HeadDraws::after_constructors);
  check_first(two.pre_classifier, {0.01643062, 0.009476219, -0.01640874, -0.008728231});
  check_first(two.classifier, {0.004833997, 0.01843779, 0.001747363, 0.03315569});
  check_first(six.pre_classifier, {0.006620468, 0.01463307, 0.003842196, -0.002131587});
  check_first(six.classifier, {-0.001694692, -0.006252781, 0.00426741, 0.01362739});
}

CASE("first: the number of labels does not move the draws of what comes before the classifier") {
  CHECK(drawn(2, HeadDraws::first).pre_classifier == drawn(6, HeadDraws::first).pre_classifier);
}

CASE("passing over 67 million draws takes well under a second") {
  const auto start = std::chrono::steady_clock::now();
  drawn(2, HeadDraws::after_constructors);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  CHECK(took.count() < 1);  // measured: 0.03 s
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
