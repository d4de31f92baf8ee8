#pragma once
#include <cstdint>

#include "shape.h"

namespace distiltune::model {

/** Rows laid end to end, no padding: interface RaggedBatch in lib/runtime/native.ts. A view; it owns nothing.
 */
struct Batch {
  const int32_t* ids;      // offsets[rows]
  const int32_t* offsets;  // rows + 1
  int64_t rows;

  int64_t tokens() const { return offsets[rows]; }
};

/**
 * What memory safety depends on: offsets start at 0, rise and end at `ids_count`; every row has 1 to
 * max_positions tokens; every id is below vocab_size. Throws BATCH_INVALID.
 */
void check(const Batch& batch, int64_t ids_count, const Shape& shape);

}  // namespace distiltune::model
