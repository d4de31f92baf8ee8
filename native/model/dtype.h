#pragma once
#include <string>

namespace distiltune::model {

/** What the matrices of the layers, and the word table, are kept in: docs/inference.md. */
enum class Dtype { fp32, bf16, int8 };

/** "fp32" */
inline const char* name(Dtype dtype) {
  return dtype == Dtype::int8 ? "int8" : dtype == Dtype::bf16 ? "bf16" : "fp32";
}

/** The dtype of that name; fp32 where none has it. */
inline Dtype dtype_of(const std::string& text) {
  for (const Dtype each : {Dtype::bf16, Dtype::int8})
    if (text == name(each)) return each;
  return Dtype::fp32;
}

}  // namespace distiltune::model
