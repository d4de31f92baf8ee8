// The losses against Transformers' and torch's numbers, in double and in float, and their gradients against
// central differences.
#include "../train/loss.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "../../failure.h"
#include "../../test/files.h"
#include "../../test/refusal.h"
#include "examples.h"

namespace distiltune::engine::test {
namespace {

/** One case of test/fixtures/reference/losses.txt, whose README says what its lines are. */
struct Golden {
  std::string name;
  LossOptions options;
  int64_t rows, outputs;
  Values logits, labels;
  double loss;
  Values gradient;
};

Values numbers(std::istream& in, int64_t count) {
  Values out(count);
  for (double& each : out) {
    std::string word;  // strtod reads numbers below the smallest normal one, which streams refuse
    in >> word;
    each = std::strtod(word.c_str(), nullptr);
  }
  return out;
}

std::vector<Golden> golden() {
  std::istringstream file(distiltune::test::bytes_of(distiltune::test::fixture("reference/losses.txt")));
  std::vector<Golden> out;
  for (std::string name; std::getline(file, name);) {
    Golden each;
    each.name = name;
    std::string kind;
    size_t weights;
    file >> kind >> each.rows >> each.outputs >> each.options.label_smoothing >> each.options.focal_gamma >>
        weights;
    each.options.kind = kind == "multi_label"  ? LossKind::multi_label
                        : kind == "regression" ? LossKind::regression
                                               : LossKind::single_label;
    const int64_t cells = each.rows * each.outputs;
    each.options.class_weights = numbers(file, weights);
    each.logits = numbers(file, cells);
    each.labels = numbers(file, each.options.kind == LossKind::single_label ? each.rows : cells);
    each.loss = numbers(file, 1)[0];
    each.gradient = numbers(file, cells);
    file.ignore();  // the end of the line
    out.push_back(each);
  }
  return out;
}

struct Result {
  double loss;
  Values gradient;
};

/** Rows of a wider matrix, so that strides are honoured; the gradient in the place of the logits. */
Result run(const LossOptions& options, int64_t rows, int64_t outputs, const Values& logits,
           const Values& labels, DType dtype, double scale = 1) {
  const std::vector<int32_t> classes(labels.begin(), labels.end());
  const std::vector<float> values(labels.begin(), labels.end());
  const int64_t stride = outputs + 3;
  Values memory(rows * stride);
  const View view{memory.data(), dtype, rows, outputs, stride};
  for (int64_t at = 0; at < rows * outputs; ++at)
    set_at(view, at / outputs * stride + at % outputs, logits[at]);
  Result result{mean_loss(options, view, {classes.data(), values.data()}, scale, view), {}};
  for (int64_t at = 0; at < rows * outputs; ++at)
    result.gradient.push_back(value_at(view, at / outputs * stride + at % outputs));
  return result;
}

void check_close(const std::string& what, double got, double want, double tolerance) {
  if (!(std::fabs(got - want) <= tolerance * std::max(1.0, std::fabs(want)))) {
    throw distiltune::test::Mismatch{what + " is " + std::to_string(got) + ", expected " +
                                     std::to_string(want)};
  }
}

/**
 * Relative above 1. Transformers' LabelSmoother sums the even share in float32 whatever the logits are
 * (trainer_pt_utils.py, dtype=torch.float32), four roundings of a tenth of the loss; done that way outside,
 * the reference comes out to 1e-15. oracle_test.cpp holds smoothing to torch's own, which is all in double.
 */
void check_golden(DType dtype, double tolerance) {
  const std::vector<Golden> all = golden();
  CHECK(all.size() == 18);
  for (const Golden& each : all) {
    check(each.options, each.outputs);
    const double allowed = each.options.label_smoothing > 0 ? std::max(tolerance, 3e-8) : tolerance;
    const Result got = run(each.options, each.rows, each.outputs, each.logits, each.labels, dtype);
    check_close(each.name + ": the loss", got.loss, each.loss, allowed);
    for (size_t at = 0; at < got.gradient.size(); ++at) {
      check_close(each.name + ": slope " + std::to_string(at), got.gradient[at], each.gradient[at], allowed);
    }
  }
}

CASE("all 18 reference losses and their gradients, in double") {
  check_golden(DType::f64, 1e-12);  // logits up to 150 in size have 3e-14 of rounding
}

CASE("all 18 reference losses and their gradients, of float logits") {
  check_golden(DType::f32,
               1e-7);  // the logits are floats; a gradient of at most 5 is rounded to one, 3e-8 of it
}

CASE("the gradient takes the factor it is asked for, and ignored rows have none") {
  for (const Golden& each : golden()) {
    const Result whole = run(each.options, each.rows, each.outputs, each.logits, each.labels, DType::f64);
    const Result half = run(each.options, each.rows, each.outputs, each.logits, each.labels, DType::f64, 0.5);
    CHECK(half.loss == whole.loss);
    for (size_t at = 0; at < whole.gradient.size(); ++at) {
      CHECK_NEAR(half.gradient[at], whole.gradient[at] / 2, 1e-15);  // a rounding or two
      const int64_t row = at / each.outputs;
      if (each.options.kind == LossKind::single_label && each.labels[row] == ignored_class)
        CHECK(whole.gradient[at] == 0);
    }
  }
}

CASE("gradients equal central differences, with every option and with several outputs") {
  const int64_t rows = 6, outputs = 4;
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 2);
  Values logits(rows * outputs), cells(rows * outputs);
  for (double& each : logits) each = normal(random);
  for (double& each : cells) each = static_cast<float>(random() % 2 ? 0.25 : 1);
  const Values classes{0, 3, ignored_class, 1, 2, 2}, weights{0.5, 2, 0, 3};
  const LossOptions all[] = {{},
                             {LossKind::single_label, 0.2, {}},
                             {LossKind::single_label, 0, weights},
                             {LossKind::single_label, 0.2, weights},
                             {LossKind::single_label, 0, {}, 2},
                             {LossKind::single_label, 0, {}, 0.5},
                             {LossKind::multi_label, 0, {}},
                             {LossKind::regression, 0, {}}};
  constexpr double reach = 1e-5;
  for (const LossOptions& options : all) {
    const Values& labels = options.kind == LossKind::single_label ? classes : cells;
    const auto loss_of = [&](const Values& x) { return run(options, rows, outputs, x, labels, DType::f64); };
    const Values gradient = loss_of(logits).gradient;
    for (size_t at = 0; at < logits.size(); ++at) {
      Values up = logits, down = logits;
      up[at] += reach;
      down[at] -= reach;
      // Third derivatives, up to 10 here, times reach squared; and 1e-15 / reach of rounding.
      CHECK_NEAR((loss_of(up).loss - loss_of(down).loss) / (2 * reach), gradient[at], 1e-9);
    }
  }
}

CASE("a focal loss of rows that are all but certain is a number, whatever gamma") {
  for (const double gamma : {0.5, 1.0, 2.0, 5.0}) {
    const Result got = run({LossKind::single_label, 0, {}, gamma}, 1, 2, {800, -800}, {0}, DType::f64);
    CHECK(got.loss == 0 && got.gradient[0] == 0 && got.gradient[1] == 0);
  }
}

CASE("no row that counts gives no number") {
  CHECK(std::isnan(run({}, 2, 2, {1, 2, 3, 4}, {-100, -100}, DType::f64).loss));
  CHECK(std::isnan(run({LossKind::single_label, 0, {1, 0}}, 1, 2, {1, 2}, {1}, DType::f64).loss));
}

CASE("what has no meaning is refused") {
  const LossOptions refused[] = {
      {LossKind::single_label, -0.1, {}},      {LossKind::single_label, 1.1, {}},
      {LossKind::single_label, NAN, {}},       {LossKind::single_label, 0, {1, 2}},
      {LossKind::single_label, 0, {1, 2, -1}}, {LossKind::single_label, 0, {1, 2, INFINITY}},
      {LossKind::single_label, 0, {}, -1},     {LossKind::single_label, 0, {}, NAN},
      {LossKind::single_label, 0.1, {}, 2},    {LossKind::single_label, 0, {1, 2, 3}, 2},
      {LossKind::multi_label, 0.1, {}},        {LossKind::multi_label, 0, {1, 2, 3}},
      {LossKind::regression, 0, {}, 2}};
  for (const LossOptions& options : refused) {
    CHECK(distiltune::test::code_of([&] { check(options, 3); }) == "LOSS_INVALID");
  }
  check({LossKind::single_label, 1, {1, 0, 3}}, 3);
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
