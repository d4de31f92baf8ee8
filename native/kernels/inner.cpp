#include "inner.h"

#include "chosen.h"

namespace distiltune::kernels {

extern const Inner inner_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const Inner inner_avx2;
extern const Inner inner_avx512;
#elif defined(__aarch64__)
extern const Inner inner_neon;
#endif

namespace {
Chosen<Inner> chosen;
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
  return chosen.get([]() -> const Inner& { return inner(isa()); });
}

void use(Isa isa) { chosen.set(inner(isa)); }

}  // namespace distiltune::kernels
