#include "inner_bf16.h"

#include <atomic>

namespace distiltune::kernels {

extern const InnerBf16 inner_bf16_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const InnerBf16 inner_bf16_avx2;
#endif
#if defined(DISTILTUNE_AVX512_BF16)
extern const InnerBf16 inner_bf16_avx512_bf16;
#endif

namespace {
std::atomic<const InnerBf16*> chosen{nullptr};
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
  const InnerBf16* loops = chosen.load(std::memory_order_acquire);
  if (loops == nullptr) {
    loops = &inner_bf16(bf16_isa());
    chosen.store(loops, std::memory_order_release);
  }
  return *loops;
}

void use(Bf16Isa isa) { chosen.store(&inner_bf16(isa), std::memory_order_release); }

}  // namespace distiltune::kernels
