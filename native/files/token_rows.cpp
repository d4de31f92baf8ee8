#include "token_rows.h"

#include <algorithm>
#include <limits>

#include "../failure.h"
#include "number.h"

namespace distiltune::files {
namespace {

constexpr uint64_t offset_bytes = 8;
constexpr auto most_tokens = static_cast<uint64_t>(std::numeric_limits<int32_t>::max());

[[noreturn]] void fail(const std::string& path) {
  throw Failure("TOKENS_INVALID", "Expected a token file in " + path + ", but its rows do not lie in it");
}

/** Whether `count` items of `width` bytes from `at` on lie in `size` bytes. */
bool lies_within(uint64_t at, uint64_t count, uint64_t width, uint64_t size) {
  uint64_t bytes = 0, end = 0;
  return multiply(count, width, &bytes) && add(at, bytes, &end) && end <= size;
}

}  // namespace

TokenRows::TokenRows(const std::string& path, const TokenLayout& layout)
    : path_(path), file_(path), layout_(layout) {
  const bool fits = layout.rows < most_tokens && (layout.id_bytes == 2 || layout.id_bytes == 4) &&
                    lies_within(layout.ids_at, layout.tokens, layout.id_bytes, file_.size()) &&
                    lies_within(layout.offsets_at, layout.rows + 1, offset_bytes, file_.size());
  if (!fits) fail(path);
}

uint64_t TokenRows::offset_of(uint64_t row) {
  return little_endian(file_.at(layout_.offsets_at + row * offset_bytes, offset_bytes), offset_bytes);
}

int32_t TokenRows::length_between(uint64_t begin, uint64_t end) const {
  if (begin > end || end > layout_.tokens || end - begin > most_tokens) fail(path_);
  return static_cast<int32_t>(end - begin);
}

void TokenRows::lengths(int32_t* out) {
  constexpr uint64_t at_a_time = 1u << 16;
  uint64_t begin = offset_of(0);
  for (uint64_t first = 0; first < layout_.rows; first += at_a_time) {
    const uint64_t some = std::min(at_a_time, layout_.rows - first);
    const unsigned char* ends =
        file_.at(layout_.offsets_at + (first + 1) * offset_bytes, some * offset_bytes);
    for (uint64_t i = 0; i < some; ++i) {
      const uint64_t end = little_endian(ends + i * offset_bytes, offset_bytes);
      out[first + i] = length_between(begin, end);
      begin = end;
    }
  }
}

void TokenRows::read(const int32_t* rows, size_t count, std::vector<int32_t>& ids,
                     std::vector<int32_t>& offsets) {
  ids.clear();
  offsets.assign(1, 0);
  for (size_t i = 0; i < count; ++i) {
    if (rows[i] < 0 || static_cast<uint64_t>(rows[i]) >= layout_.rows)
      throw Failure("ROW_UNKNOWN", "Expected the number of a row from 0 to " + std::to_string(layout_.rows) +
                                       ", exclusive, got " + std::to_string(rows[i]));
    const auto row = static_cast<uint64_t>(rows[i]);
    const uint64_t begin = offset_of(row);
    const auto length = static_cast<size_t>(length_between(begin, offset_of(row + 1)));
    if (ids.size() + length > most_tokens) fail(path_);
    const unsigned char* from =
        file_.at(layout_.ids_at + begin * layout_.id_bytes, length * layout_.id_bytes);
    const auto width = static_cast<size_t>(layout_.id_bytes);
    for (size_t k = 0; k < length; ++k)
      ids.push_back(static_cast<int32_t>(little_endian(from + k * width, width)));
    offsets.push_back(static_cast<int32_t>(ids.size()));
  }
}

}  // namespace distiltune::files
