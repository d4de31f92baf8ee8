#include "kernels/embedding.h"

#include <map>

#include "kernels/bf16.h"
#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

const std::vector<int32_t> offsets = {0, 4, 5, 12, 14};
const std::vector<int32_t> ids = {101, 7, 7, 102, 101, 101, 9, 0, 7, 300, 9, 102, 101, 102};
const int64_t rows = 4, dim = 19, words = 301, positions = 16, tokens = 14;

}  // namespace

CASE("an embedding is the word's row plus the row of its place") {
  ThreadPool pool(2);
  const auto word = random_values(words * dim, 71), position = random_values(positions * dim, 72);
  std::vector<float> out(tokens * dim);
  embed(pool, ids.data(), offsets.data(), rows, word.data(), position.data(), out.data(), dim);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t t = offsets[row]; t < offsets[row + 1]; ++t) {
      for (int64_t i = 0; i < dim; ++i) {
        CHECK(out[t * dim + i] == word[ids[t] * dim + i] + position[(t - offsets[row]) * dim + i]);
      }
    }
  }
}

CASE("words of bfloat16 are widened as they are read") {
  ThreadPool pool(2);
  std::vector<float> word = random_values(words * dim, 71);
  std::vector<uint16_t> halves;
  for (float& each : word) {
    halves.push_back(static_cast<uint16_t>(to_bf16(each)));
    each = first_of(halves.back());
  }
  const auto position = random_values(positions * dim, 72);
  std::vector<float> want(tokens * dim), out(tokens * dim);
  embed(pool, ids.data(), offsets.data(), rows, word.data(), position.data(), want.data(), dim);
  embed(pool, ids.data(), offsets.data(), rows, halves.data(), position.data(), out.data(), dim);
  CHECK(same_bits(out, want));
}

CASE(
    "gradients gather by word and place, over micro-batches, without the padding word, the same for every "
    "thread count") {
  const std::vector<int32_t> more_offsets = {0, 3, 4}, more_ids = {5, 300, 8, 7};
  const auto d = random_values(tokens * dim, 73), more = random_values(4 * dim, 74);
  std::map<int32_t, std::vector<double>> by_word;
  std::vector<double> by_place(positions * dim, 1);
  const auto gather = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& offsets,
                          const std::vector<float>& d) {
    for (size_t row = 0; row + 1 < offsets.size(); ++row) {
      for (int32_t t = offsets[row]; t < offsets[row + 1]; ++t) {
        for (int64_t i = 0; i < dim; ++i) {
          by_place[(t - offsets[row]) * dim + i] += d[t * dim + i];
          if (ids[t] == 0) continue;
          by_word[ids[t]].resize(dim);
          by_word[ids[t]][i] += d[t * dim + i];
        }
      }
    }
  };
  gather(ids, offsets, d);
  gather(more_ids, more_offsets, more);

  RowGradient first_gradient;
  for (int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    RowGradient gradient;
    std::vector<float> dposition(positions * dim, 1);
    embed_backward(pool, ids.data(), offsets.data(), rows, d.data(), 0, gradient, dposition.data(), dim);
    CHECK((gradient.ids == std::vector<int32_t>{7, 9, 101, 102, 300}));
    embed_backward(pool, more_ids.data(), more_offsets.data(), 2, more.data(), 0, gradient, dposition.data(),
                   dim);
    CHECK((gradient.ids == std::vector<int32_t>{5, 7, 8, 9, 101, 102, 300}));
    CHECK(gradient.values.size() == 7 * dim);
    int64_t row = 0;
    for (const auto& [id, expected] : by_word) {
      CHECK(gradient.ids[row] == id);
      for (int64_t i = 0; i < dim; ++i) CHECK_NEAR(gradient.values[row * dim + i], expected[i], 1e-6);
      ++row;
    }
    CHECK_NEAR(distance(dposition, by_place), 0, 1e-6);
    if (threads == 1) first_gradient = gradient;
    CHECK(same_bits(gradient.values, first_gradient.values));
  }
}

CASE("a batch of padding words alone leaves no row of gradient") {
  ThreadPool pool(1);
  const int32_t zeros[2] = {0, 0}, ends[2] = {0, 2};
  RowGradient gradient;
  std::vector<float> dposition(2 * dim);
  const auto d = random_values(2 * dim, 75);
  embed_backward(pool, zeros, ends, 1, d.data(), 0, gradient, dposition.data(), dim);
  CHECK(gradient.ids.empty() && gradient.values.empty());
  CHECK(same_bits(dposition, d));
}

MAIN
