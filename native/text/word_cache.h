#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace distiltune::text {

/** A short word of ASCII letters and digits, padded with zeros. */
struct ShortWord {
  static constexpr size_t kLongest = 16;

  uint64_t low, high;

  /** The first `length` of the 16 bytes that can be read at `bytes`. */
  static ShortWord of(const uint8_t* bytes, size_t length) {
    // Bytes that are kept, then bytes that are not: a window on it is the mask of any length.
    alignas(32) static constexpr uint8_t kKept[2 * kLongest] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                255, 255, 255, 255, 255, 255, 255, 255};
    ShortWord word, mask;
    std::memcpy(&word, bytes, kLongest);
    std::memcpy(&mask, kKept + kLongest - length, kLongest);
    return {word.low & mask.low, word.high & mask.high};
  }
};

/**
 * The ids that short words were found to fall into, for one tokenizer: texts say the same few thousand words
 * again and again. Two words of one hash have room; a third takes the place of the older one. Not to be
 * shared between threads.
 */
class WordCache {
 public:
  /** Room for 2^`bits` pairs of words, 64 bytes each: 1 MiB by default. */
  explicit WordCache(unsigned bits = 14) : pairs_(size_t{1} << bits), shift_(64 - bits) {}

  struct Entry {
    static constexpr uint32_t kMostIds = 3;

    ShortWord word{0, 0};  // no word is empty, so zeros are a free place
    uint32_t count = 0;
    int32_t ids[kMostIds] = {};

    bool holds(const ShortWord& wanted) const {
      return ((word.low ^ wanted.low) | (word.high ^ wanted.high)) == 0;
    }
  };

  /** A line of the machine's own cache. */
  struct alignas(64) Pair {
    Entry newer, older;

    /** Null where it is not there. */
    const Entry* find(const ShortWord& word) const {
      if (newer.holds(word)) return &newer;
      return older.holds(word) ? &older : nullptr;
    }
    void put(const Entry& entry) {
      older = newer;
      newer = entry;
    }
  };

  /** Where `word` is, or would be. */
  Pair& at(const ShortWord& word) {
    // Odd constants with well mixed bits (of the golden ratio, and of pi).
    const uint64_t mixed = word.low * 0x9E3779B97F4A7C15u + word.high * 0x243F6A8885A308D3u;
    return pairs_[mixed >> shift_];
  }

 private:
  std::vector<Pair> pairs_;
  unsigned shift_;
};

}  // namespace distiltune::text
