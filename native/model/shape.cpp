#include "shape.h"

#include <string>

#include "../failure.h"

namespace distiltune::model {

void check(const Shape& shape) {
  constexpr int64_t most = 1'000'000'000;
  const auto refuse = [](const std::string& reason) { throw Failure("MODEL_SHAPE_INVALID", reason); };
  const struct {
    const char* name;
    int64_t value;
  } sizes[] = {{"vocabSize", shape.vocab_size},
               {"maxPositions", shape.max_positions},
               {"layers", shape.layers},
               {"heads", shape.heads},
               {"dim", shape.dim},
               {"hiddenDim", shape.hidden_dim},
               {"labels", shape.labels}};
  for (const auto& size : sizes)
    if (size.value < 1 || size.value > most)
      refuse(std::string("Expected `") + size.name + "` to be from 1 to 1e9, got " +
             std::to_string(size.value));
  if (shape.dim % shape.heads != 0)
    refuse("Expected `heads` to divide `dim`, got " + std::to_string(shape.heads) + " and " +
           std::to_string(shape.dim));
  // In double: every factor is at most 1e9, so products of three are far from overflow.
  const double dim = static_cast<double>(shape.dim), hidden = static_cast<double>(shape.hidden_dim);
  const double total = dim * static_cast<double>(shape.vocab_size + shape.max_positions + shape.labels) +
                       dim * dim + static_cast<double>(shape.layers) * (4 * dim * dim + 2 * dim * hidden);
  if (total > static_cast<double>(most))
    refuse("Expected at most 1e9 parameters, got " + std::to_string(static_cast<int64_t>(total)));
}

}  // namespace distiltune::model
