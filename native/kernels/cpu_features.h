#pragma once

namespace distiltune::kernels {

enum class Isa { scalar, neon, avx2, avx512 };

/** Best instruction set of this CPU and operating system, or the lower one that DISTILTUNE_ISA names; a name
 * that is unknown or asks for more than there is counts as not given. Read once. */
Isa isa();
const char* name(Isa isa);

/** What multiplies bytes; neon_dot with the instructions that Armv8.2 may have and Armv8.4 has. */
enum class Int8Isa { scalar, neon, neon_dot, avx2, avx_vnni, avx512_vnni };

/** Whether this machine has it; where DISTILTUNE_ISA lowers isa(), of what belongs to that set alone. */
bool has(Int8Isa isa);
/** The best that it has. */
Int8Isa int8_isa();
const char* name(Int8Isa isa);

/** What multiplies bfloat16: avx2 by way of floats, avx512_bf16 natively. */
enum class Bf16Isa { scalar, avx2, avx512_bf16 };

/** The best that this machine has, as for bytes. */
Bf16Isa bf16_isa();
const char* name(Bf16Isa isa);

/** Physical cores this process may use: affinity and the cgroup's CPU quota counted. At least 1. */
int usable_cores();

}  // namespace distiltune::kernels
