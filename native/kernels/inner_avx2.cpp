#include "vector_avx2.h"
//
#include "inner_vector.h"

namespace distiltune::kernels {

extern const Inner inner_avx2;
const Inner inner_avx2 = loops(Isa::avx2);

}  // namespace distiltune::kernels
