#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mapped_file.h"

namespace distiltune::files {

/** Where the rows lie in a token file; the whole format is in lib/train/token-file.ts. All positions in
 * bytes. */
struct TokenLayout {
  uint64_t rows;
  uint64_t tokens;
  uint64_t id_bytes;    // 2 or 4
  uint64_t ids_at;      // ids of all rows end to end, uint16 or int32
  uint64_t offsets_at;  // uint64[rows + 1] in tokens: row r is ids[offsets[r] .. offsets[r + 1])
};

/** Rows of token ids in a mapped file. The bytes may be anything: every offset is looked at before it is
 * followed. */
class TokenRows {
 public:
  /** Throws as MappedFile does, and TOKENS_INVALID where the layout does not fit into the file. */
  TokenRows(const std::string& path, const TokenLayout& layout);

  uint64_t rows() const { return layout_.rows; }

  /** Tokens of each row, int32[rows]. Throws TOKENS_INVALID. */
  void lengths(int32_t* out);

  /** The rows with these numbers laid end to end, as a RaggedBatch has them. Throws ROW_UNKNOWN or
   * TOKENS_INVALID. */
  void read(const int32_t* rows, size_t count, std::vector<int32_t>& ids, std::vector<int32_t>& offsets);

 private:
  uint64_t offset_of(uint64_t row);
  /** Tokens between two offsets. */
  int32_t length_between(uint64_t begin, uint64_t end) const;

  std::string path_;
  MappedFile file_;
  TokenLayout layout_;
};

}  // namespace distiltune::files
