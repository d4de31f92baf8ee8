#pragma once
#include <cstddef>
#include <cstdint>

namespace distiltune::files {

/** CRC-32 of zip archives (ISO 3309, reversed polynomial 0xEDB88320) of bytes that follow those whose CRC is
 * `before`. */
uint32_t crc32(const unsigned char* bytes, size_t length, uint32_t before = 0);

}  // namespace distiltune::files
