#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "file.h"

// Element types by the names safetensors gives them.

namespace distiltune::files {

/** Bits of an element; 0 for a name the format does not know. */
uint64_t bits_of(const std::string& dtype);

/** F32, F16, BF16 and F64: what can become weights. */
bool is_float(const std::string& dtype);

/** Through a buffer of so many elements values are read where they are not F32. */
inline constexpr size_t elements_at_a_time = 1u << 18;

/** `count` stored little-endian elements of a float dtype as floats: widened exactly, or F64 rounded to
 * nearest. */
void to_floats(const std::string& dtype, const unsigned char* elements, size_t count, float* out);

/** `count` elements of a float dtype that lie one after another from byte `offset`. */
void read_floats(const InputFile& file, uint64_t offset, const std::string& dtype, uint64_t count,
                 float* out);

}  // namespace distiltune::files
