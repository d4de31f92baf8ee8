#include "embedding.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "bf16.h"

namespace distiltune::kernels {
namespace {

void add(const float* values, float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] += values[i];
}

/** Makes room, zeroed, for every id of `wanted` (rising) among the rows already there. */
void widen(RowGradient& gradient, const std::vector<int32_t>& wanted, int64_t dim) {
  std::vector<int32_t> all;
  all.reserve(gradient.ids.size() + wanted.size());
  std::set_union(gradient.ids.begin(), gradient.ids.end(), wanted.begin(), wanted.end(),
                 std::back_inserter(all));
  if (all.size() == gradient.ids.size()) return;
  gradient.values.resize(all.size() * dim);
  size_t old = gradient.ids.size();
  for (size_t row = all.size(); row-- > 0;) {  // from the end, since rows only move up
    float* to = gradient.values.data() + row * dim;
    if (old > 0 && gradient.ids[old - 1] == all[row]) {
      const float* from = gradient.values.data() + --old * dim;
      if (from != to) std::copy_n(from, dim, to);
    } else {
      std::fill_n(to, dim, 0.0f);
    }
  }
  gradient.ids = std::move(all);
}

/** embed() with `word_of(t)` the word of token t: value i when called with i. */
template <typename WordOf>
void embed(ThreadPool& pool, const int32_t* offsets, int64_t rows, const float* position, float* out,
           int64_t dim, const WordOf& word_of) {
  pool.run(rows, [&](int64_t row) {
    for (int64_t t = offsets[row]; t < offsets[row + 1]; ++t) {
      const auto word = word_of(t);
      const float* p = position + (t - offsets[row]) * dim;
      for (int64_t i = 0; i < dim; ++i) out[t * dim + i] = word(i) + p[i];
    }
  });
}

}  // namespace

void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const float* word,
           const float* position, float* out, int64_t dim) {
  embed(pool, offsets, rows, position, out, dim,
        [=](int64_t t) { return [w = word + ids[t] * dim](int64_t i) { return w[i]; }; });
}

void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const int8_t* words,
           const float* word_scales, const float* position, float* out, int64_t dim) {
  embed(pool, offsets, rows, position, out, dim, [=](int64_t t) {
    return [w = words + ids[t] * dim, scale = word_scales[ids[t]]](int64_t i) {
      return static_cast<float>(w[i]) * scale;
    };
  });
}

void embed(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows, const uint16_t* words,
           const float* position, float* out, int64_t dim) {
  embed(pool, offsets, rows, position, out, dim,
        [=](int64_t t) { return [w = words + ids[t] * dim](int64_t i) { return first_of(w[i]); }; });
}

void embed_backward(ThreadPool& pool, const int32_t* ids, const int32_t* offsets, int64_t rows,
                    const float* d, int32_t padding_id, RowGradient& gradient, float* dposition,
                    int64_t dim) {
  std::vector<std::pair<int32_t, int32_t>>
      places;  // (id, token), so that a word's tokens are added in their order
  int64_t longest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    longest = std::max<int64_t>(longest, offsets[row + 1] - offsets[row]);
    for (int32_t t = offsets[row]; t < offsets[row + 1]; ++t) {
      if (ids[t] != padding_id) places.emplace_back(ids[t], t);
    }
  }
  std::sort(places.begin(), places.end());
  std::vector<int32_t> met;
  std::vector<size_t> starts;
  for (size_t i = 0; i < places.size(); ++i) {
    if (i > 0 && places[i].first == places[i - 1].first) continue;
    met.push_back(places[i].first);
    starts.push_back(i);
  }
  starts.push_back(places.size());
  widen(gradient, met, dim);

  pool.run(static_cast<int64_t>(met.size()), [&](int64_t word) {
    const auto row =
        std::lower_bound(gradient.ids.begin(), gradient.ids.end(), met[word]) - gradient.ids.begin();
    for (size_t i = starts[word]; i < starts[word + 1]; ++i) {
      add(d + places[i].second * dim, gradient.values.data() + row * dim, dim);
    }
  });
  pool.run(longest, [&](int64_t place) {
    for (int64_t row = 0; row < rows; ++row) {
      if (offsets[row] + place < offsets[row + 1])
        add(d + (offsets[row] + place) * dim, dposition + place * dim, dim);
    }
  });
}

}  // namespace distiltune::kernels
