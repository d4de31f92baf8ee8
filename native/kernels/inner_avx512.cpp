#include "vector_avx512.h"
//
#include "inner_vector.h"

namespace distiltune::kernels {

extern const Inner inner_avx512;
const Inner inner_avx512 = loops(Isa::avx512);

}  // namespace distiltune::kernels
