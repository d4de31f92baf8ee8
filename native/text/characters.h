#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace distiltune::text {

constexpr size_t kBlock = 64;

/** What up to 64 characters of a text are, a bit each from the lowest: ASCII letters and digits, ASCII
 * punctuation, and what needs a closer look (controls, everything beyond ASCII). What is none of them is a
 * space, tab or line break. */
struct Characters {
  uint64_t letters, punctuation, odd;
};

/** `count` characters, at most 64; their low bytes, small letters made of capitals where `lowercase`, go to
 * `bytes`, of which 64 may be written. The plain twin of characters(). */
inline Characters plain_characters(const char16_t* units, size_t count, bool lowercase, uint8_t* bytes) {
  Characters found{0, 0, 0};
  for (size_t at = 0; at < count; ++at) {
    const unsigned c = units[at], small = c | 0x20;
    const bool letter = c < 128 && (small - 'a' < 26 || c - '0' < 10);
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    const bool punctuation = !letter && c > ' ' && c < 127;
    const uint64_t bit = uint64_t{1} << at;
    if (letter) found.letters |= bit;
    if (punctuation) found.punctuation |= bit;
    if (!letter && !space && !punctuation) found.odd |= bit;
    bytes[at] = static_cast<uint8_t>(lowercase && c - 'A' < 26 ? small : c);
  }
  return found;
}

#if defined(__SSE2__) || defined(_M_X64)

inline Characters whole_block(const char16_t* units, bool lowercase, uint8_t* bytes) {
  const auto set = [](int value) { return _mm_set1_epi8(static_cast<char>(value)); };
  // Bytes from `low` to `low + size - 1`, all ones.
  const auto within = [&](__m128i c, int low, int size) {
    const __m128i distance = _mm_sub_epi8(c, set(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(distance, set(size - 1)), distance);
  };
  const __m128i fold = set(lowercase ? 0x20 : 0);
  Characters found{0, 0, 0};
  for (unsigned part = 0; part < kBlock; part += 16) {
    const auto* from = reinterpret_cast<const __m128i*>(units + part);
    // Units above 255 become 255, or 0 where they are above 32767: both are odd.
    const __m128i c = _mm_packus_epi16(_mm_loadu_si128(from), _mm_loadu_si128(from + 1));
    const __m128i capital = within(c, 'A', 26);
    const __m128i letter = _mm_or_si128(_mm_or_si128(capital, within(c, 'a', 26)), within(c, '0', 10));
    const __m128i printable = within(c, '!', 94);
    const __m128i space = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(c, set(' ')), within(c, '\t', 2)),
                                       _mm_cmpeq_epi8(c, set('\r')));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + part), _mm_or_si128(c, _mm_and_si128(capital, fold)));
    const auto bits = [&](__m128i mask) { return static_cast<uint64_t>(_mm_movemask_epi8(mask)) << part; };
    found.letters |= bits(letter);
    found.punctuation |= bits(_mm_andnot_si128(letter, printable));
    found.odd |= bits(_mm_or_si128(printable, space)) ^ (uint64_t{0xFFFF} << part);
  }
  return found;
}

inline Characters characters(const char16_t* units, size_t count, bool lowercase, uint8_t* bytes) {
  if (count == kBlock) return whole_block(units, lowercase, bytes);
  char16_t padded[kBlock] = {};
  std::memcpy(padded, units, count * sizeof(char16_t));
  const Characters found = whole_block(padded, lowercase, bytes);
  const uint64_t there = (uint64_t{1} << count) - 1;
  return {found.letters & there, found.punctuation & there, found.odd & there};
}

#else

inline Characters characters(const char16_t* units, size_t count, bool lowercase, uint8_t* bytes) {
  return plain_characters(units, count, lowercase, bytes);
}

#endif

/** Place of the lowest bit of `bits`, which is not 0. */
inline size_t lowest(uint64_t bits) {
#if defined(__GNUC__)
  return static_cast<size_t>(__builtin_ctzll(bits));
#else
  size_t at = 0;
  for (; (bits & 1) == 0; bits >>= 1) ++at;
  return at;
#endif
}

/** Asks for the memory at `place`, to be there when it is read. */
inline void prefetch(const void* place) {
#if defined(__SSE2__) || defined(_M_X64)
  _mm_prefetch(static_cast<const char*>(place), _MM_HINT_T0);
#elif defined(__GNUC__)
  __builtin_prefetch(place);
#endif
}

}  // namespace distiltune::text
