// Where the time of a training step goes, operation by operation: one line of JSON a step, { seconds, tokens, of: { operation: seconds } }.
//   bench_step BATCHES DIM HIDDEN [threads [fp32|bf16]]
// BATCHES holds a row a line, its label and its ids; an empty line ends a batch. Weights are random, the optimizer as by default.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "engine/ops/cpu.h"
#include "engine/train/training.h"
#include "kernels/random.h"
#include "timed_ops.h"

using namespace distiltune;
using namespace distiltune::engine;

namespace {

struct Rows {
  std::vector<int32_t> ids, offsets{0}, labels;
};

std::vector<Rows> read(const char* path) {
  std::ifstream file(path);
  std::vector<Rows> batches(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      batches.emplace_back();
      continue;
    }
    std::istringstream words(line);
    int32_t word;
    words >> word;
    batches.back().labels.push_back(word);
    while (words >> word) batches.back().ids.push_back(word);
    batches.back().offsets.push_back(static_cast<int32_t>(batches.back().ids.size()));
  }
  if (batches.back().labels.empty()) batches.pop_back();
  return batches;
}

void fill(Training& training) {
  kernels::Generator generator(1);
  for (const View& view : training.parameters().views()) {
    if (view.rows > 1) kernels::normal(generator, 0.02f, view.f32(), view.count());
  }
  const Parameters& w = training.parameters().parameters();
  const auto ones = [](View view) { std::fill_n(view.f32(), view.count(), 1.0f); };
  ones(w.embeddings_layer_norm.weight);
  for (const Layer& layer : w.layers) {
    ones(layer.sa_layer_norm.weight);
    ones(layer.output_layer_norm.weight);
  }
}

}  // namespace

int main(int arguments, char** argument) {
  if (arguments < 4) return 2;
  const std::vector<Rows> batches = read(argument[1]);
  model::Shape shape;
  shape.vocab_size = 30522;
  shape.max_positions = 512;
  shape.layers = 6;
  shape.heads = 12;
  shape.dim = std::atoi(argument[2]);
  shape.hidden_dim = std::atoi(argument[3]);
  shape.labels = 2;
  shape.activation = Activation::gelu;
  kernels::ThreadPool pool(arguments > 4 ? std::atoi(argument[4]) : 0);
  const bool bf16 = arguments > 5 && std::string(argument[5]) == "bf16";
  const auto ops = make_cpu_ops(pool, bf16 ? Precision::bf16 : Precision::fp32);
  bench::TimedOps timed(*ops, pool);
  Training training(timed, shape, {0.1f, 0.1f, 0.2f}, LossOptions{},
                    {kernels::AdamWFlavor::torch, 0.9, 0.999, 1e-8, 0, 1}, 42);
  fill(training);
  const Cancelled cancelled{false};
  for (const Rows& rows : batches) {
    const Batch batch{rows.ids.data(), rows.offsets.data(), static_cast<int64_t>(rows.labels.size())};
    const double start = bench::now(pool);
    training.step({{batch, {rows.labels.data(), nullptr}}}, 1, 5e-5, cancelled);
    const double seconds = bench::now(pool) - start;
    std::printf("{\"seconds\":%.6f,\"tokens\":%zu,\"of\":{", seconds, rows.ids.size());
    const char* comma = "";
    for (const auto& [name, each] : timed.take()) {
      std::printf("%s\"%s\":%.6f", comma, name.c_str(), each);
      comma = ",";
    }
    std::printf("}}\n");
    std::fflush(stdout);
  }
  return 0;
}
