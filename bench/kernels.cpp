// Rates of the kernels beside what the machine's registers allow in the same minute.
//   cmake -S . -B DIR -DDISTILTUNE_BENCH=ON && cmake --build DIR --target bench_kernels && DIR/bench_kernels
//   [threads] [rounds]
// Batches are ragged as in training on short posts: 8 rows, 616 tokens. Every figure is the median of
// `rounds` calls; the matrices of a layer are walked in turn with others, so weights come from memory as they
// do in a step.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "kernels/activation.h"
#include "kernels/adamw.h"
#include "kernels/attention.h"
#include "kernels/cpu_features.h"
#include "kernels/gemm.h"
#include "kernels/gemm_int8.h"
#include "kernels/layer_norm.h"
#include "kernels/packed_linear.h"
#include "kernels/random.h"
#include "peaks.h"

using namespace distiltune::kernels;
using distiltune::bench::median_seconds;

namespace {

std::vector<float> values(int64_t n, float deviation = 1) {
  std::vector<float> result(n);
  Generator generator(n);
  normal(generator, deviation, result.data(), n);
  return result;
}

std::string machine() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

/** Packed weights several times over, so that each round meets others. */
class Copies {
 public:
  Copies(int count, size_t bytes)
      : count_(count),
        bytes_((bytes + 63) / 64 * 64),
        data_(static_cast<unsigned char*>(::operator new(count * bytes_, std::align_val_t{64}))) {}
  ~Copies() { ::operator delete(data_, std::align_val_t{64}); }
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;
  void* at(int round) const { return data_ + round % count_ * bytes_; }

 private:
  int count_;
  size_t bytes_;
  unsigned char* data_;
};

/** Seconds of an int8 product, rows quantised before, weights from beyond the last cache. */
double whole_numbers(ThreadPool& pool, int rounds, int64_t m, int64_t n, int64_t k) {
  const int copies = static_cast<int>(std::max<int64_t>(1, (int64_t{64} << 20) / (n * k)));
  const auto x = values(m * k), w = values(n * k, 0.02f), bias = values(n);
  std::vector<int8_t> q(n * k);
  std::vector<float> scales(n), y(m * n);
  for (int64_t j = 0; j < n; ++j) scales[j] = quantise_weights(w.data() + j * k, k, q.data() + j * k);
  const Copies packed(copies, Int8Linear::bytes(n, k));
  for (int i = 0; i < copies; ++i) Int8Linear::pack(q.data(), scales.data(), bias.data(), n, k, packed.at(i));
  QuantisedRows rows;
  rows.resize(m, k);
  rows.set(pool, x.data(), k);
  return median_seconds(pool, rounds, [&](int round) {
    Int8Linear(packed.at(round), n, k).apply(pool, rows, y.data(), n, After::nothing);
  });
}

void products(ThreadPool& pool, int rounds, int64_t m, int64_t n, int64_t k, double peak) {
  const int copies =
      static_cast<int>(std::max<int64_t>(1, (int64_t{64} << 20) / (n * k * 4)));  // beyond the last cache
  const auto x = values(m * k), dy = values(m * n), w = values(copies * n * k, 0.02f), bias = values(n);
  std::vector<float> y(m * n), dx(m * k), dw(copies * n * k), db(n);
  const Copies packed(copies, FloatLinear::bytes(n, k));
  for (int i = 0; i < copies; ++i) FloatLinear::pack(w.data() + i * n * k, bias.data(), n, k, packed.at(i));
  const auto weight = [&](int round) { return round % copies * n * k; };
  const double forward = median_seconds(pool, rounds, [&](int round) {
    linear(pool, x.data(), k, w.data() + weight(round), bias.data(), y.data(), n, m, n, k);
  });
  const double prepacked = median_seconds(pool, rounds, [&](int round) {
    FloatLinear(packed.at(round), n, k).apply(pool, x.data(), k, y.data(), n, m);
  });
  const double bytes = whole_numbers(pool, rounds, m, n, k);
  const double input = median_seconds(pool, rounds, [&](int round) {
    linear_backward_input(pool, dy.data(), n, w.data() + weight(round), dx.data(), k, m, n, k, false);
  });
  const double gradient = median_seconds(pool, rounds, [&](int round) {
    linear_backward_weight(pool, dy.data(), n, x.data(), k, dw.data() + weight(round), db.data(), m, n, k,
                           false);
  });
  std::printf("m %4ld  n %4ld  k %4ld ", static_cast<long>(m), static_cast<long>(n), static_cast<long>(k));
  for (double seconds : {forward, prepacked, bytes, input, gradient}) {
    const double rate = 2e-9 * m * n * k / seconds;
    std::printf("  %6.1f (%3.0f%%)", rate, peak > 0 ? 100 * rate / peak : 0);
  }
  std::printf("\n");
}

void print(const char* what, double seconds, double elements) {
  std::printf("%-58s %8.3f ms  %6.3f ns/element\n", what, seconds * 1e3, seconds * 1e9 / elements);
}

void loops(ThreadPool& pool, int rounds, int64_t heads, int64_t head_dim) {
  const int32_t offsets[] = {0, 23, 51, 63, 155, 195, 495, 515, 616};
  const int64_t rows = 8, tokens = 616, dim = heads * head_dim, hidden = 4 * dim;
  std::printf("\ndim %ld, %ld heads, hidden %ld, 616 tokens in rows of 12 to 300\n", static_cast<long>(dim),
              static_cast<long>(heads), static_cast<long>(hidden));
  const AttentionShape shape{offsets, rows, heads, head_dim, false};
  const Dropout none{}, tenth{0.1f, 42, 1, 1};
  const auto qkv = values(tokens * 3 * dim), dout = values(tokens * dim), gamma = values(dim),
             beta = values(dim);
  const auto wide = values(tokens * hidden);
  std::vector<float> out(tokens * dim), lse(tokens * heads), dqkv(tokens * 3 * dim), mean(tokens),
      rstd(tokens), sum(tokens * dim);
  std::vector<float> dgamma(dim), dbeta(dim), wide_out(tokens * hidden);
  const float *q = qkv.data(), *k = q + dim, *v = k + dim;
  double scores = 0;
  for (int i = 0; i < rows; ++i)
    scores += static_cast<double>(heads) * (offsets[i + 1] - offsets[i]) * (offsets[i + 1] - offsets[i]);
  for (const Dropout& dropout : {none, tenth}) {
    const std::string suffix = dropout.p > 0 ? ", dropout 0.1" : "";
    print(("attention" + suffix + " (elements: scores)").c_str(),
          median_seconds(pool, rounds,
                         [&](int) {
                           attention(pool, shape, q, 3 * dim, k, v, 3 * dim, dropout, out.data(), lse.data());
                         }),
          scores);
    print(("attention backward" + suffix).c_str(),
          median_seconds(pool, rounds,
                         [&](int) {
                           attention_backward(pool, shape, q, 3 * dim, k, v, 3 * dim, dropout, out.data(),
                                              lse.data(), dout.data(), dqkv.data(), dqkv.data() + dim,
                                              dqkv.data() + 2 * dim);
                         }),
          scores);
  }
  print("gelu",
        median_seconds(pool, rounds, [&](int) { gelu(pool, wide.data(), wide_out.data(), tokens * hidden); }),
        tokens * hidden);
  print("gelu backward",
        median_seconds(
            pool, rounds,
            [&](int) { gelu_backward(pool, wide.data(), wide.data(), wide_out.data(), tokens * hidden); }),
        tokens * hidden);
  print("dropout + residual + layer norm",
        median_seconds(pool, rounds,
                       [&](int) {
                         dropout_add_layer_norm(pool, dout.data(), tenth, out.data(), gamma.data(),
                                                beta.data(), sum.data(), mean.data(), rstd.data(), out.data(),
                                                tokens, dim);
                       }),
        tokens * dim);
  print("layer norm backward",
        median_seconds(pool, rounds,
                       [&](int) {
                         layer_norm_backward(pool, dout.data(), sum.data(), mean.data(), rstd.data(),
                                             gamma.data(), out.data(), dgamma.data(), dbeta.data(), tokens,
                                             dim);
                       }),
        tokens * dim);
  print(
      "dropout 0.1",
      median_seconds(pool, rounds,
                     [&](int) { apply_dropout(pool, wide.data(), tenth, wide_out.data(), tokens * hidden); }),
      tokens * hidden);
}

void optimizer(ThreadPool& pool, int rounds) {
  const int64_t count = 10 << 20;
  std::vector<float> p(count, 0.1f), m(count), v(count), g(count, 1e-3f);
  const AdamWStep step{AdamWFlavor::torch, 5e-5, 0.9, 0.999, 1e-8, 0, 10, 1};
  std::printf("\n10 Mi parameters\n");
  print("adamw",
        median_seconds(pool, rounds,
                       [&](int) { adamw(pool, step, p.data(), m.data(), v.data(), g.data(), count); }),
        count);
  print("sum of squares", median_seconds(pool, rounds, [&](int) { sum_of_squares(pool, g.data(), count); }),
        count);
}

}  // namespace

int main(int arguments, char** argument) {
  ThreadPool pool(arguments > 1 ? std::atoi(argument[1]) : 0);
  const int rounds = arguments > 2 ? std::atoi(argument[2]) : 51;
  const double before = distiltune::bench::rate_of(pool, distiltune::bench::loops().fp32);
  std::printf("%s, %d threads, %s; register peak %.1f GFLOP/s; median of %d\n\n", machine().c_str(),
              pool.threads(), name(isa()), before, rounds);
  std::printf(
      "GFLOP/s (share of the peak)          forward          prepacked            int8     input grad.    "
      "weight grad.\n");
  for (int64_t dim : {384, 768}) {
    for (int64_t m : {int64_t{616}, int64_t{8}}) {
      products(pool, rounds, m, dim, dim, before);
      products(pool, rounds, m, 4 * dim, dim, before);
      products(pool, rounds, m, dim, 4 * dim, before);
    }
  }
  loops(pool, rounds, 12, 32);
  loops(pool, rounds, 12, 64);
  optimizer(pool, std::min(rounds, 11));
  const double after = distiltune::bench::rate_of(pool, distiltune::bench::loops().fp32);
  std::printf(
      "\nregister peak afterwards %.1f GFLOP/s%s\n", after,
      after < 0.9 * before || after > 1.1 * before ? ": the machine was not quiet, measure again" : "");
  return 0;
}
