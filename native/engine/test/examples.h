#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../../model/weights.h"
#include "../../test/check.h"
#include "../parameters.h"
#include "../train/training.h"

// Models and batches for the engine's tests, drawn from fixed seeds.

namespace distiltune::engine::test {

using Values = std::vector<double>;

/** A batch that owns its memory; ids start with 2 and end with 3 as [CLS] and [SEP] would, the rest is drawn.
 */
struct OwnBatch {
  std::vector<int32_t> ids, offsets{0}, classes;

  OwnBatch(const std::vector<int64_t>& lengths, const model::Shape& shape, uint32_t seed) {
    std::mt19937 random(seed);
    for (const int64_t length : lengths) {
      for (int64_t place = 0; place < length; ++place) {
        // Few enough words that some come twice; word 0, the padding, among them.
        ids.push_back(place == 0            ? 2
                      : place + 1 == length ? 3
                                            : static_cast<int32_t>(random() % (shape.vocab_size - 1)));
      }
      offsets.push_back(static_cast<int32_t>(ids.size()));
      classes.push_back(static_cast<int32_t>(random() % shape.labels));
    }
  }

  Batch rows() const { return {ids.data(), offsets.data(), static_cast<int64_t>(classes.size())}; }
  LabelledBatch labelled() const { return {rows(), {classes.data()}}; }
};

inline double value_at(View view, int64_t index) {
  return view.dtype == DType::f32 ? view.f32()[index] : view.f64()[index];
}

inline void set_at(View view, int64_t index, double value) {
  if (view.dtype == DType::f32) {
    view.f32()[index] = static_cast<float>(value);
  } else {
    view.f64()[index] = value;
  }
}

/** Every value of a contiguous view. */
inline Values values_of(View view) {
  Values out(view.count());
  for (size_t index = 0; index < out.size(); ++index) out[index] = value_at(view, index);
  return out;
}

/** Float values, whatever the store's type, so that a float model and its double twin start alike. */
inline void fill(ParameterStore& store, const model::Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const auto infos = model::parameters(shape);
  for (size_t index = 0; index < infos.size(); ++index) {
    const bool scale = !infos[index].decay && infos[index].name.find("bias") == std::string::npos;
    const float spread = infos[index].decay ? 0.2f : 0.1f;
    for (int64_t at = 0; at < infos[index].count(); ++at) {
      const float drawn = spread * normal(random);
      set_at(store.views()[index], at, scale ? 1 + drawn : drawn);
    }
  }
}

/** The word table's gradient written out in full. */
inline Values dense(const WordGradient& gradient, const model::Shape& shape) {
  Values out(shape.vocab_size * shape.dim);
  for (size_t place = 0; place < gradient.rows.ids.size(); ++place) {
    for (int64_t col = 0; col < shape.dim; ++col) {
      const size_t from = place * shape.dim + col;
      out[gradient.rows.ids[place] * shape.dim + col] =
          gradient.values_f64.empty() ? gradient.rows.values[from] : gradient.values_f64[from];
    }
  }
  return out;
}

inline double norm(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

/** L2 norm of the difference over the L2 norm of `want`. */
inline double distance(const Values& got, const Values& want) {
  if (got.size() != want.size()) throw distiltune::test::Mismatch{"sizes differ"};
  Values difference(got.size());
  for (size_t index = 0; index < got.size(); ++index) difference[index] = got[index] - want[index];
  return norm(difference) / norm(want);
}

}  // namespace distiltune::engine::test
