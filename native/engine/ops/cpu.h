#pragma once
#include <memory>

#include "../../kernels/thread_pool.h"
#include "ops.h"

namespace distiltune::engine {

/** What the operands of linear layers and of attention are rounded to before they are multiplied; all else is
 * fp32, sums included. */
enum class Precision { fp32, bf16 };

/** Our kernels, f32 alone. Layers of fewer than 16 outputs, such as the classifier, are never rounded: they
 * take no time, and their results are what the loss sees. The pool must outlive the operations. */
std::unique_ptr<Ops> make_cpu_ops(kernels::ThreadPool& pool, Precision precision = Precision::fp32);

}  // namespace distiltune::engine
