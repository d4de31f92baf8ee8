#pragma once
#include <cstddef>

namespace distiltune::kernels {

/** Uses of scratch memory; two that live at the same time on one thread have different names. */
enum class Scratch {
  panel,
  left,
  right,
  words,
  partial,
  draws,
  scores,
  gradients,
  keys,
  values,
  key_rows,
  query_rows,
  dout_rows,
  count
};

/** At least `floats` floats, 64-byte aligned, contents undefined. They belong to the calling thread and this
 * use until the next call for the same use; grown on demand, kept until the thread ends. */
float* scratch(Scratch use, size_t floats);

}  // namespace distiltune::kernels
