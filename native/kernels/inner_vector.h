#pragma once
#include "activation_vector.h"
#include "adamw_vector.h"
#include "attention_vector.h"
#include "gemm_vector.h"
#include "layer_norm_vector.h"
#include "philox_vector.h"
#include "quantise_vector.h"

// Included after vector_avx2.h, vector_avx512.h or vector_neon.h: the loops of all operations, spelt for it.

namespace distiltune::kernels {
namespace {

constexpr Inner loops(Isa isa) {
  return {isa,
          width,
          pack,
          pack_transposed,
          pack_left,
          multiply<Floats>,
          multiply_packed<Floats>,
          philox,
          drop,
          exponentials,
          attention_gradient,
          gelu,
          gelu_backward,
          relu,
          layer_norm,
          layer_norm_backward,
          quantise,
          adamw,
          adamw_late,
          sum_of_squares};
}

}  // namespace
}  // namespace distiltune::kernels
