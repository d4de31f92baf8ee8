#include "vector_neon.h"
//
#include "activation_vector.h"
#include "adamw_vector.h"
#include "attention_vector.h"
#include "gemm_vector.h"
#include "layer_norm_vector.h"
#include "philox_vector.h"
#include "quantise_vector.h"

namespace distiltune::kernels {

extern const Inner inner_neon;
const Inner inner_neon = {
    Isa::neon,
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
    sum_of_squares,
};

}  // namespace distiltune::kernels
