#include "inner_bf16.h"

#include "chosen.h"

namespace distiltune::kernels {

extern const InnerBf16 inner_bf16_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const InnerBf16 inner_bf16_avx2;
#endif
#if defined(DISTILTUNE_AVX512_BF16)
extern const InnerBf16 inner_bf16_avx512_bf16;
#endif

namespace {
Chosen<InnerBf16> chosen;
}

const InnerBf16& inner_bf16(Bf16Isa isa) {
#if defined(DISTILTUNE_AVX512_BF16)
  if (isa == Bf16Isa::avx512_bf16) return inner_bf16_avx512_bf16;
#endif
#if defined(__x86_64__) || defined(_M_X64)
  if (isa != Bf16Isa::scalar) return inner_bf16_avx2;
#endif
  return inner_bf16_scalar;
}

const InnerBf16& inner_bf16() {
  return chosen.get([]() -> const InnerBf16& { return inner_bf16(bf16_isa()); });
}

void use(Bf16Isa isa) { chosen.set(inner_bf16(isa)); }

}  // namespace distiltune::kernels
