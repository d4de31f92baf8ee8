#include "inner_int8.h"

#include <atomic>

namespace distiltune::kernels {

extern const InnerInt8 inner_int8_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const InnerInt8 inner_int8_avx2;
#if defined(DISTILTUNE_AVX_VNNI)
extern const InnerInt8 inner_int8_avx_vnni;
#endif
#if defined(DISTILTUNE_AVX512_VNNI)
extern const InnerInt8 inner_int8_avx512_vnni;
#endif
#endif

namespace {
std::atomic<const InnerInt8*> chosen{nullptr};
}

const InnerInt8& inner_int8(Int8Isa isa) {
#if defined(DISTILTUNE_AVX512_VNNI)
  if (isa == Int8Isa::avx512_vnni) return inner_int8_avx512_vnni;
#endif
#if defined(DISTILTUNE_AVX_VNNI)
  if (isa == Int8Isa::avx_vnni) return inner_int8_avx_vnni;
#endif
#if defined(__x86_64__) || defined(_M_X64)
  if (isa != Int8Isa::scalar) return inner_int8_avx2;
#endif
  return inner_int8_scalar;
}

const InnerInt8& inner_int8() {
  const InnerInt8* loops = chosen.load(std::memory_order_acquire);
  if (loops == nullptr) {
    loops = &inner_int8(int8_isa());
    chosen.store(loops, std::memory_order_release);
  }
  return *loops;
}

void use(Int8Isa isa) { chosen.store(&inner_int8(isa), std::memory_order_release); }

}  // namespace distiltune::kernels
