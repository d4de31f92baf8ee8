#pragma once
#include <memory>

#include "ops.h"

namespace distiltune::engine {

/** Plain ATen, either dtype: the slow twin of the kernels. Gives ATen `threads` on the calling thread. */
std::unique_ptr<Ops> make_aten_ops(DType dtype, int threads);

}  // namespace distiltune::engine
