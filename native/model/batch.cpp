#include "batch.h"

#include <string>

#include "../failure.h"

namespace distiltune::model {

void check(const Batch& batch, int64_t ids_count, const Shape& shape) {
  const auto refuse = [](const std::string& reason) { throw Failure("BATCH_INVALID", reason); };
  if (batch.rows < 1 || batch.offsets[0] != 0) refuse("Expected at least one row, and offsets from 0");
  for (int64_t row = 0; row < batch.rows; ++row) {
    const int64_t length = int64_t{batch.offsets[row + 1]} - batch.offsets[row];
    if (length < 1 || length > shape.max_positions)
      refuse("Row " + std::to_string(row) + " has " + std::to_string(length) + " tokens, expected 1 to " +
             std::to_string(shape.max_positions));
  }
  if (batch.tokens() != ids_count)
    refuse("The offsets end at " + std::to_string(batch.tokens()) + ", but there are " +
           std::to_string(ids_count) + " ids");
  for (int64_t i = 0; i < ids_count; ++i)
    if (batch.ids[i] < 0 || batch.ids[i] >= shape.vocab_size)
      refuse("Token id " + std::to_string(batch.ids[i]) + " is not in the vocabulary of " +
             std::to_string(shape.vocab_size));
}

}  // namespace distiltune::model
