#include "inner.h"

#include <atomic>

namespace distiltune::kernels {

extern const Inner inner_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const Inner inner_avx2;
extern const Inner inner_avx512;
#elif defined(__aarch64__)
extern const Inner inner_neon;
#endif

namespace {
std::atomic<const Inner*> chosen{nullptr};
}

const Inner& inner(Isa isa) {
#if defined(__x86_64__) || defined(_M_X64)
  if (isa == Isa::avx512) return inner_avx512;
  if (isa == Isa::avx2) return inner_avx2;
#elif defined(__aarch64__)
  if (isa == Isa::neon) return inner_neon;
#endif
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
