#pragma once
#include <string_view>

namespace distiltune::files {

/** What a file is instead of weights, with the way out; reason is null where it looks like nothing known. */
struct OtherFormat {
  const char* reason;
  const char* hint;
};

/** Whether `text` starts with `magic`, which may hold NUL bytes. */
inline bool begins(std::string_view text, std::string_view magic) {
  return text.substr(0, magic.size()) == magic;
}

/** What stands in place of a file of weights after a download or copy that went wrong, from its first bytes.
 */
inline OtherFormat other_format(std::string_view start) {
  if (begins(start, "version https://git-lfs"))
    return {"it is a Git-LFS pointer, not the file itself", "git lfs pull"};
  if (begins(start, "\x1f\x8b")) return {"it is gzip-compressed", "unpack it with gunzip"};
  const size_t text = start.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (text != std::string_view::npos &&
      (begins(start.substr(text), "<html") || begins(start.substr(text), "<!")))
    return {"it is an HTML page, perhaps of a failed download", "download the file again"};
  return {nullptr, nullptr};
}

}  // namespace distiltune::files
