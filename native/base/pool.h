#pragma once
#include <memory>

#include "../kernels/thread_pool.h"

namespace distiltune::base {

/** The pool of so many threads that everything in this process shares, while anybody holds it. On the native
 * thread only (node::Jobs): there calls follow one another, as a pool asks. */
std::shared_ptr<kernels::ThreadPool> shared_pool(int threads);

}  // namespace distiltune::base
