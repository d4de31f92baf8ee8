#include "inner_int8.h"

#include "chosen.h"

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
#elif defined(__aarch64__)
extern const InnerInt8 inner_int8_neon;
#if defined(DISTILTUNE_NEON_DOT)
extern const InnerInt8 inner_int8_neon_dot;
#endif
#endif

namespace {
Chosen<InnerInt8> chosen;
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
#elif defined(__aarch64__)
#if defined(DISTILTUNE_NEON_DOT)
  if (isa == Int8Isa::neon_dot) return inner_int8_neon_dot;
#endif
  if (isa != Int8Isa::scalar) return inner_int8_neon;
#endif
  return inner_int8_scalar;
}

const InnerInt8& inner_int8() {
  return chosen.get([]() -> const InnerInt8& { return inner_int8(int8_isa()); });
}

void use(Int8Isa isa) { chosen.set(inner_int8(isa)); }

}  // namespace distiltune::kernels
