#include "inner.h"

#include <atomic>

namespace distiltune::kernels {

extern const Inner inner_scalar;

namespace {
std::atomic<const Inner*> chosen{nullptr};
}

const Inner& inner(Isa) {
  return inner_scalar;
}

const Inner& inner() {
  const Inner* loops = chosen.load(std::memory_order_acquire);
  if (loops == nullptr) {
    loops = &inner(isa());
    chosen.store(loops, std::memory_order_release);
  }
  return *loops;
}

void use(Isa isa) { chosen.store(&inner(isa), std::memory_order_release); }

}  // namespace distiltune::kernels
