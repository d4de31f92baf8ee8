#include "inner_scalar.h"

namespace distiltune::kernels {

extern const Inner inner_scalar;
const Inner inner_scalar = {
    Isa::scalar,
    1,
    scalar::pack,
    scalar::pack_transposed,
    scalar::pack_left,
    scalar::multiply,
    scalar::multiply_packed,
    scalar::philox,
    scalar::drop,
    scalar::exponentials,
    scalar::attention_gradient,
    scalar::gelu,
    scalar::gelu_backward,
    scalar::relu,
    scalar::layer_norm,
    scalar::layer_norm_backward,
    scalar::quantise,
    scalar::adamw,
    scalar::adamw_late,
    scalar::sum_of_squares,
};

}  // namespace distiltune::kernels
