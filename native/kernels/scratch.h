#pragma once
#include <cstddef>
#include <cstdint>

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

/** scratch() for an operand. */
template <typename Value>
Value* scratch_of(Scratch use, int64_t count) {
  static_assert(sizeof(Value) == sizeof(float), "scratch() counts floats");
  return reinterpret_cast<Value*>(scratch(use, static_cast<size_t>(count)));
}

}  // namespace distiltune::kernels
