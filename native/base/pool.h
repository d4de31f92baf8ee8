#pragma once
#include <memory>

#include "../kernels/thread_pool.h"

namespace distiltune::base {

/** The pool of so many threads that everything in this process shares, workers of Node too, while anybody
 * holds it. */
std::shared_ptr<kernels::ThreadPool> shared_pool(int threads);

}  // namespace distiltune::base
