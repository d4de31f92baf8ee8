#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "file.h"
#include "format_error.h"

namespace distiltune::files {

/** A member of a zip archive, stored as it is. */
struct ZipMember {
  std::string name;  // behind the common prefix: "data.pkl"
  uint64_t begin;    // of its bytes in the file
  uint64_t size;
  uint32_t crc;  // as the archive has it; nothing was compared
};

/**
 * The members of a zip archive of the kind torch writes (PKWARE APPNOTE.TXT 6.3): stored, in one folder,
 * nothing behind the directory, zip64 where wanted. Refuses what two readers could understand in two ways:
 * compression, encryption, names twice or that leave the folder, members that overlap, local headers and
 * descriptors that disagree with the directory. Throws FormatError or FILE_NOT_READABLE.
 */
std::vector<ZipMember> zip_members(const InputFile& file);

}  // namespace distiltune::files
