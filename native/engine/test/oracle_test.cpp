// Our forward and backward against autograd on padded rows in double, over the same float parameters.
#include <ATen/ATen.h>
// The loggers under ATen define these too.
#undef CHECK
#undef CHECK_NEAR

#include <cmath>

#include "../../kernels/thread_pool.h"
#include "../distilbert.h"
#include "../ops/aten.h"
#include "../ops/cpu.h"
#include "../train/loss.h"
#include "examples.h"

namespace distiltune::engine::test {
namespace {

struct Result {
  double loss;
  Values logits;
  std::vector<Values> gradients;  // in the order of model::parameters
};

Values values_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

/** The textbook model: rows padded to the longest, a mask over the keys, every row of every layer computed.
 */
Result padded_autograd(const model::Shape& shape, const ParameterStore& store, const OwnBatch& batch) {
  const auto infos = model::parameters(shape);
  std::vector<at::Tensor> leaves;
  for (size_t index = 0; index < infos.size(); ++index) {
    const Values values = test::values_of(store.views()[index]);
    at::Tensor leaf = at::from_blob(const_cast<double*>(values.data()), {static_cast<int64_t>(values.size())},
                                    at::TensorOptions().dtype(at::kDouble))
                          .clone();
    if (infos[index].cols > 0) leaf = leaf.view({infos[index].rows, infos[index].cols});
    leaves.push_back(leaf.set_requires_grad(true));
  }
  auto next = leaves.begin();

  const Batch rows = batch.rows();
  int64_t longest = 0;
  for (int64_t row = 0; row < rows.rows; ++row) {
    longest = std::max<int64_t>(longest, rows.offsets[row + 1] - rows.offsets[row]);
  }
  const auto whole = at::TensorOptions().dtype(at::kLong);
  at::Tensor ids = at::zeros({rows.rows, longest}, whole);
  at::Tensor padding = at::ones({rows.rows, 1, 1, longest}, at::TensorOptions().dtype(at::kBool));
  at::Tensor classes = at::empty({rows.rows}, whole);
  for (int64_t row = 0; row < rows.rows; ++row) {
    classes[row].fill_(batch.classes[row]);
    for (int64_t place = 0; place < rows.offsets[row + 1] - rows.offsets[row]; ++place) {
      ids[row][place].fill_(rows.ids[rows.offsets[row] + place]);
      padding[row][0][0][place].fill_(false);
    }
  }

  const auto linear = [&](const at::Tensor& x) {
    const at::Tensor weight = *next++;
    return at::matmul(x, weight.t()) + *next++;
  };
  const auto layer_norm = [&](const at::Tensor& x) {
    const at::Tensor weight = *next++;
    return at::layer_norm(x, {shape.dim}, weight, *next++, 1e-12);
  };
  const auto heads = [&](const at::Tensor& x) {
    return x.view({rows.rows, longest, shape.heads, shape.head_dim()}).transpose(1, 2);
  };
  const at::Tensor words = at::embedding(*next++, ids, /*padding_idx=*/0);
  at::Tensor x = layer_norm(words + (*next++).narrow(0, 0, longest));
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    const at::Tensor q = heads(linear(x)), k = heads(linear(x)), v = heads(linear(x));
    const at::Tensor scores =
        at::matmul(q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(shape.head_dim()));
    const at::Tensor p = at::softmax(scores.masked_fill(padding, -INFINITY), 3);
    const at::Tensor ctx = at::matmul(p, v).transpose(1, 2).reshape({rows.rows, longest, shape.dim});
    const at::Tensor x1 = layer_norm(linear(ctx) + x);
    const at::Tensor h = linear(x1);
    x = layer_norm(linear(shape.activation == Activation::gelu ? at::gelu(h) : at::relu(h)) + x1);
  }
  const at::Tensor logits = linear(at::relu(linear(x.select(1, 0))));
  const at::Tensor loss = at::cross_entropy_loss(logits, classes);
  loss.backward();

  Result result{loss.item<double>(), values_of(logits), {}};
  for (const at::Tensor& leaf : leaves) result.gradients.push_back(values_of(leaf.grad()));
  return result;
}

/** What is frozen gets empty gradients. */
Result ours(Ops& ops, const model::Shape& shape, const ParameterStore& store, const OwnBatch& batch,
            Frozen frozen = {}) {
  const Cancelled never{false};
  DistilBert model(ops, shape, {0, 0, 0}, 1, frozen);
  ParameterStore others(shape, ops.dtype(), ParameterStore::WordTable::absent, frozen.parameters());
  Gradients gradients{{}, others.parameters()};
  const View logits = model.forward(store.parameters(), batch.rows(), 0, never);
  Result result{0, test::values_of(logits), {}};
  result.loss = mean_loss({}, logits, {batch.classes.data()}, 1, logits);
  model.backward(store.parameters(), batch.rows(), logits, gradients, never);
  result.gradients.push_back(dense(gradients.word_embeddings, shape));
  for (size_t index = 1; index < others.views().size(); ++index) {
    result.gradients.push_back(test::values_of(others.views()[index]));
  }
  return result;
}

/** `from`: number of the parameter that the first gradient belongs to. */
void compare(const model::Shape& shape, const Result& got, const Result& want, double tolerance,
             size_t from = 0) {
  CHECK_NEAR(distance(got.logits, want.logits), 0, tolerance);
  CHECK_NEAR(got.loss, want.loss, tolerance);
  Values all;
  for (const Values& each : want.gradients) all.insert(all.end(), each.begin(), each.end());
  const auto infos = model::parameters(shape);
  for (size_t index = 0; from + index < infos.size(); ++index) {
    const std::string& name = infos[from + index].name;
    if (name.find("k_lin.bias") != std::string::npos) {  // truly zero: no relative error
      CHECK(norm(got.gradients[index]) <= 1e-6 * norm(all));
      CHECK(norm(want.gradients[index]) <= 1e-6 * norm(all));
      continue;
    }
    const double off = distance(got.gradients[index], want.gradients[index]);
    if (!(off <= tolerance)) {
      throw distiltune::test::Mismatch{name + " is off by " + std::to_string(off / tolerance) +
                                       " tolerances"};
    }
  }
}

constexpr int64_t positions = 512;
const model::Shape narrow{60, positions, 3, 4, 48, 96, 3, Activation::gelu};
const model::Shape wide{60, positions, 2, 6, 96, 200, 2, Activation::gelu};
const model::Shape one_layer{60, positions, 1, 2, 48, 64, 2, Activation::relu};
const std::vector<int64_t> lengths{2, 3, 17, 512};

// Relative to the L2 norm of what is compared. Over six seeds float ATen was up to 9.0e-6 off the gradients
// and our kernels, in each instruction set, up to 7.8e-6.
constexpr double float_tolerance = 1e-5;
constexpr double double_tolerance = 1e-10;

/** In double over ATen, in float over ATen, in float over our kernels. */
void check_all(const model::Shape& shape) {
  ParameterStore singles(shape, DType::f32, ParameterStore::WordTable::kept);
  ParameterStore doubles(shape, DType::f64, ParameterStore::WordTable::kept);
  fill(singles, shape, 7);
  fill(doubles, shape, 7);
  const OwnBatch batch(lengths, shape, 11);
  const Result want = padded_autograd(shape, doubles, batch);

  const auto aten_double = make_aten_ops(DType::f64, 1);
  compare(shape, ours(*aten_double, shape, doubles, batch), want, double_tolerance);
  const auto aten_float = make_aten_ops(DType::f32, 1);
  compare(shape, ours(*aten_float, shape, singles, batch), want, float_tolerance);
  kernels::ThreadPool pool(2);
  const auto cpu = make_cpu_ops(pool);
  compare(shape, ours(*cpu, shape, singles, batch), want, float_tolerance);
}

CASE("gradients equal autograd's on padded rows of 2, 3, 17 and 512 tokens, dim 48") { check_all(narrow); }
CASE("gradients equal autograd's on padded rows of 2, 3, 17 and 512 tokens, dim 96") { check_all(wide); }
CASE("what is not frozen has autograd's gradients, the rest none") {
  ParameterStore store(narrow, DType::f32, ParameterStore::WordTable::kept);
  ParameterStore doubles(narrow, DType::f64, ParameterStore::WordTable::kept);
  fill(store, narrow, 7);
  fill(doubles, narrow, 7);
  const OwnBatch batch(lengths, narrow, 11);
  const Result want = padded_autograd(narrow, doubles, batch);
  kernels::ThreadPool pool(2);
  const auto cpu = make_cpu_ops(pool);
  for (int64_t layers = 0; layers <= narrow.layers; ++layers) {
    const Frozen frozen{true, layers};
    Result got = ours(*cpu, narrow, store, batch, frozen);
    CHECK(norm(got.gradients[0]) == 0);  // the word table, whose gradient is of another form
    for (size_t index = 1; index < frozen.parameters(); ++index) CHECK(got.gradients[index].empty());
    Result rest = want;
    got.gradients.erase(got.gradients.begin(), got.gradients.begin() + frozen.parameters());
    rest.gradients.erase(rest.gradients.begin(), rest.gradients.begin() + frozen.parameters());
    compare(narrow, got, rest, float_tolerance, frozen.parameters());
  }
}

CASE("gradients equal autograd's for a single layer with relu") { check_all(one_layer); }

CASE(
    "losses and their gradients are torch's, with smoothing and class weights together and with several "
    "outputs") {
  const int64_t rows = 6, outputs = 4;
  const auto drawn = at::randn({rows, outputs}, at::TensorOptions().dtype(at::kDouble)) * 3;
  const std::vector<int32_t> classes{0, 3, ignored_class, 1, 2, 2};
  const at::Tensor indices =
      at::from_blob(const_cast<int32_t*>(classes.data()), {rows}, at::TensorOptions().dtype(at::kInt))
          .to(at::kLong);
  const Values weights{0.5, 2, 0.1, 3};
  const at::Tensor weight =
      at::from_blob(const_cast<double*>(weights.data()), {outputs}, at::TensorOptions().dtype(at::kDouble));
  const at::Tensor cells = at::rand({rows, outputs}, at::TensorOptions().dtype(at::kFloat));
  const float* values = cells.data_ptr<float>();

  const auto compare = [&](const LossOptions& options, auto torchs) {
    const at::Tensor leaf = drawn.clone().set_requires_grad(true);
    const at::Tensor want = torchs(leaf);
    want.backward();
    Values logits = values_of(drawn);
    const View view{logits.data(), DType::f64, rows, outputs, outputs};
    CHECK_NEAR(mean_loss(options, view, {classes.data(), values}, 1, view), want.item<double>(),
               1e-12);  // sums of 24 values near 5
    CHECK_NEAR(distance(logits, values_of(leaf.grad())), 0, 1e-12);
  };
  const auto cross_entropy = [&](double smoothing, const at::Tensor& weight) {
    return [&, smoothing, weight](const at::Tensor& x) {
      return at::cross_entropy_loss(x, indices, weight, at::Reduction::Mean, ignored_class, smoothing);
    };
  };
  compare({}, cross_entropy(0, {}));
  compare({LossKind::single_label, 0.2, {}}, cross_entropy(0.2, {}));
  compare({LossKind::single_label, 0, weights}, cross_entropy(0, weight));
  compare({LossKind::single_label, 0.2, weights}, cross_entropy(0.2, weight));
  compare({LossKind::multi_label, 0, {}}, [&](const at::Tensor& x) {
    return at::binary_cross_entropy_with_logits(x, cells.to(at::kDouble));
  });
  compare({LossKind::regression, 0, {}},
          [&](const at::Tensor& x) { return at::mse_loss(x, cells.to(at::kDouble)); });
}

CASE("with dropout on, gradients equal the central differences of the loss") {
  // Autograd cannot draw our masks; differences need none of it, and one mask per place, forward and
  // backward.
  const model::Shape shape{20, 8, 3, 2, 8, 12, 2, Activation::gelu};
  const auto ops = make_aten_ops(DType::f64, 1);
  const Cancelled never{false};
  DistilBert model(*ops, shape, {0.2f, 0.3f, 0.4f}, 9);
  ParameterStore store(shape, DType::f64, ParameterStore::WordTable::kept);
  fill(store, shape, 7);
  const OwnBatch batch({2, 5, 8}, shape, 11);
  const auto logits_now = [&] { return model.forward(store.parameters(), batch.rows(), 3, never); };
  const auto loss_now = [&] {
    const View logits = logits_now();
    return mean_loss({}, logits, {batch.classes.data()}, 1, logits);
  };
  ParameterStore others(shape, DType::f64, ParameterStore::WordTable::absent);
  Gradients gradients{{}, others.parameters()};
  const View logits = logits_now();
  mean_loss({}, logits, {batch.classes.data()}, 1, logits);
  model.backward(store.parameters(), batch.rows(), logits, gradients, never);

  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  constexpr double reach = 1e-5;
  for (size_t index = 0; index < store.views().size(); ++index) {
    const View values = store.views()[index];
    const Values gradient =
        index == 0 ? dense(gradients.word_embeddings, shape) : test::values_of(others.views()[index]);
    const Values start = test::values_of(values);
    Values direction(start.size());
    for (double& each : direction) each = normal(random);
    if (index == 0) std::fill_n(direction.begin(), shape.dim, 0.0);  // padding is not trained
    const auto loss_at = [&](double distance) {
      for (size_t at = 0; at < start.size(); ++at) set_at(values, at, start[at] + distance * direction[at]);
      return loss_now();
    };
    const double slope = (loss_at(reach) - loss_at(-reach)) / (2 * reach);
    loss_at(0);
    double expected = 0;
    for (size_t at = 0; at < start.size(); ++at) expected += gradient[at] * direction[at];
    // Third derivatives times reach squared, and 1e-16 / reach of rounding; a wrong mask is off by a tenth
    // and more.
    CHECK_NEAR(slope, expected, 1e-6);
  }
}

CASE("a model of four dimensions gives the logits, loss and norm that Transformers 4.18 gives") {
  const model::Shape shape{8, 4, 1, 2, 4, 6, 2, Activation::gelu};
  const auto ops = make_aten_ops(DType::f64, 1);
  ParameterStore store(shape, DType::f64, ParameterStore::WordTable::kept);
  const auto infos = model::parameters(shape);
  for (size_t j = 0; j < infos.size(); ++j) {
    const bool norm_weight = !infos[j].decay && infos[j].name.find("bias") == std::string::npos;
    for (int64_t k = 0; k < infos[j].count(); ++k) {
      set_at(store.views()[j], k,
             static_cast<float>(0.3 * std::sin(1.7 * k + 0.9 * j) + (norm_weight ? 1 : 0)));
    }
  }
  OwnBatch batch({3, 2}, shape, 1);
  batch.ids = {1, 2, 3, 4, 5};
  batch.classes = {0, 1};
  const Result got = ours(*ops, shape, store, batch);
  const double want[] = {0.2294237940, -0.1854491520, 0.2883458138, -0.1192667037};
  for (int at = 0; at < 4; ++at) CHECK_NEAR(got.logits[at], want[at], 1e-9);  // given to ten digits
  CHECK_NEAR(got.loss, 0.7123264168, 1e-9);
  Values all;
  for (const Values& each : got.gradients) all.insert(all.end(), each.begin(), each.end());
  CHECK_NEAR(norm(all), 0.2438418739, 1e-9);
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
