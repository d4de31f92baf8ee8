#pragma once
#include <memory>

#include "../../kernels/thread_pool.h"
#include "ops.h"

namespace distiltune::engine {

/** Our kernels, f32 alone. The pool must outlive the operations. */
std::unique_ptr<Ops> make_cpu_ops(kernels::ThreadPool& pool);

}  // namespace distiltune::engine
