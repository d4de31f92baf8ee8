#include "vector_neon.h"
//
#include "inner_vector.h"

namespace distiltune::kernels {

extern const Inner inner_neon;
const Inner inner_neon = loops(Isa::neon);

}  // namespace distiltune::kernels
