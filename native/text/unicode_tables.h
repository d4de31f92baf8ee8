#pragma once
#include <cstdint>

/**
 * Unicode data pinned to what the reference tokenizer uses, whatever the machine knows
 * (scripts/unicode-tables.mjs tells the versions): a two-stage table from a code point to its record.
 */
namespace distiltune::text::unicode {

enum Flag : uint8_t {
  kRemoved = 1,      // deleted by clean_text
  kWhiteSpace = 2,   // separates words
  kChinese = 4,      // a word of its own where Chinese characters are handled
  kPunctuation = 8,  // a word of its own
  kMark = 16,        // deleted by strip_accents
};

struct Record {
  uint8_t flags;
  uint8_t combining_class;       // canonical; 0 for a starter
  uint8_t decomposition_length;  // code points of the full canonical decomposition; 0 where there is none
  uint8_t lowercase_length;      // code points of the full lower case; 0 where it is the code point itself
  uint16_t decomposition;        // first place in kMappings
  uint16_t lowercase;            // first place in kMappings
};

constexpr unsigned kBlockBits = 7;  // 128 code points a block
extern const uint16_t kBlocks[];
extern const uint16_t kRecordNumbers[];
extern const Record kRecords[];
extern const char32_t kMappings[];

/** `c` is at most 0x10FFFF. Hangul syllables carry no decomposition: normalize.h computes it. */
inline const Record& record(char32_t c) {
  const unsigned block = kBlocks[c >> kBlockBits];
  return kRecords[kRecordNumbers[(block << kBlockBits) | (c & ((1u << kBlockBits) - 1))]];
}

}  // namespace distiltune::text::unicode
