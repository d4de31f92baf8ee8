#include "zip.h"

#include <algorithm>
#include <unordered_set>

#include "number.h"
#include "range_reader.h"
#include "tensor_source.h"

namespace distiltune::files {
namespace {

constexpr uint64_t most_members = 10'000;
constexpr uint64_t largest_directory = 16u << 20;
constexpr uint64_t end_size = 22, end64_size = 56, locator_size = 20, local_size = 30;
constexpr uint32_t deferred = 0xFFFFFFFF;  // "see the zip64 field"
constexpr uint64_t zip64_field = 1;

/** Fields one after another. */
class Fields {
 public:
  explicit Fields(RangeReader in) : in_(std::move(in)) {}
  uint64_t next(size_t bytes) {
    unsigned char buffer[8];
    require(in_.left() >= bytes, "a header of the zip is cut short");
    in_.read(buffer, bytes);
    return little_endian(buffer, bytes);
  }
  std::string text(uint64_t length) {
    require(in_.left() >= length, "a name in the zip is cut short");
    std::string text(static_cast<size_t>(length), '\0');
    in_.read(text.data(), text.size());
    return text;
  }
  void skip(uint64_t length) {
    require(in_.left() >= length, "a header of the zip is cut short");
    in_.skip(length);
  }
  uint64_t left() const { return in_.left(); }

  static void require(bool condition, const std::string& reason) {
    if (!condition) throw FormatError(reason);
  }

 private:
  RangeReader in_;
};

void require(bool condition, const std::string& reason) { Fields::require(condition, reason); }

struct Directory {
  uint64_t begin;
  uint64_t end;
  uint64_t count;
};

/** What a header says of a member; of the central one or the local one. */
struct Header {
  uint64_t flags, method, crc, compressed, size, begin;
  std::string name;
};

struct Placed {
  ZipMember member;
  uint64_t begin;  // of its local header
  uint64_t end;    // of its data and its descriptor
};

Fields fields(const InputFile& file, uint64_t begin, uint64_t end) {
  require(begin <= end && end <= file.size(), "a part of the zip lies outside the file");
  return Fields(RangeReader(file, begin, end));
}

/** Reads the end record, which must be the last thing in the file, and its zip64 form. */
Directory find_directory(const InputFile& file) {
  const uint64_t size = file.size();
  require(size >= end_size, "the zip is cut short");
  Fields end = fields(file, size - end_size, size);
  require(end.next(4) == 0x06054B50,
          "the zip has no end record as its last 22 bytes: it is cut short, or has a comment or something "
          "behind it");
  const uint64_t disks = end.next(2) | end.next(2);
  const uint64_t count_here = end.next(2), count = end.next(2), length = end.next(4), begin = end.next(4);
  require(disks == 0 && count_here == count && end.next(2) == 0, "the zip has several parts or a comment");

  Directory directory{begin, size - end_size, count};
  uint64_t length_of_all = length;
  const bool has_locator = size >= end_size + locator_size + end64_size;
  Fields locator = fields(file, has_locator ? size - end_size - locator_size : size, size);
  if (has_locator && locator.next(4) == 0x07064B50) {
    require(locator.next(4) == 0, "the zip has several parts");
    const uint64_t at = locator.next(8);
    require(locator.next(4) <= 1, "the zip has several parts");
    require(at == size - end_size - locator_size - end64_size,
            "the zip64 end record is not where it should be");
    Fields end64 = fields(file, at, at + end64_size);
    require(end64.next(4) == 0x06064B50 && end64.next(8) == end64_size - 12,
            "the zip64 end record is unsound");
    end64.skip(4);  // versions
    require((end64.next(4) | end64.next(4)) == 0, "the zip has several parts");
    const uint64_t count64_here = end64.next(8);
    directory.count = end64.next(8);
    length_of_all = end64.next(8);
    directory.begin = end64.next(8);
    directory.end = at;
    const auto agrees = [](uint64_t small, uint64_t most, uint64_t large) {
      return small == most || small == large;
    };
    require(count64_here == directory.count && agrees(count, 0xFFFF, directory.count) &&
                agrees(length, deferred, length_of_all) && agrees(begin, deferred, directory.begin),
            "the two end records of the zip disagree");
  }
  require(directory.begin <= directory.end && length_of_all == directory.end - directory.begin,
          "the zip's directory does not end where its end record begins");
  require(directory.count <= most_members && length_of_all <= largest_directory,
          "the zip has " + std::to_string(directory.count) + " members in a directory of " +
              std::to_string(length_of_all) + " bytes, which is more than a model needs");
  return directory;
}

/** Passes over the extra fields; those of zip64 replace the numbers that are deferred to them, in order. */
void read_extra(Fields& in, uint64_t length, std::initializer_list<uint64_t*> numbers) {
  while (length > 0) {
    require(length >= 4, "an extra field in the zip is cut short");
    const uint64_t id = in.next(2);
    uint64_t size = in.next(2);
    require(size <= length - 4, "an extra field in the zip is cut short");
    length -= 4 + size;
    for (uint64_t* number : numbers)
      if (id == zip64_field && *number == deferred && size >= 8) {
        *number = in.next(8);
        size -= 8;
      }
    in.skip(size);
  }
}

Header read_central(Fields& in) {
  Header header{};
  require(in.next(4) == 0x02014B50, "the zip's directory is unsound");
  in.skip(4);  // versions
  header.flags = in.next(2);
  header.method = in.next(2);
  in.skip(4);  // time and date
  header.crc = in.next(4);
  header.compressed = in.next(4);
  header.size = in.next(4);
  const uint64_t name_length = in.next(2), extra_length = in.next(2), comment_length = in.next(2);
  require(in.next(2) == 0, "the zip has several parts");
  in.skip(6);  // attributes
  header.begin = in.next(4);
  header.name = in.text(name_length);
  read_extra(in, extra_length, {&header.size, &header.compressed, &header.begin});
  in.skip(comment_length);
  return header;
}

/** The local header at central.begin; its own `begin` is where the data begins. */
Header read_local(const InputFile& file, const Header& central, const Directory& directory) {
  const std::string outside = shown(central.name) + " has no local header in the zip";
  require(central.begin <= directory.begin && local_size <= directory.begin - central.begin, outside);
  Header header{};
  const uint64_t name_begin = central.begin + local_size;
  Fields in = fields(file, central.begin, name_begin);
  require(in.next(4) == 0x04034B50, outside);
  in.skip(2);  // version
  header.flags = in.next(2);
  header.method = in.next(2);
  in.skip(4);  // time and date
  header.crc = in.next(4);
  header.compressed = in.next(4);
  header.size = in.next(4);
  const uint64_t name_length = in.next(2), extra_length = in.next(2);
  header.begin = name_begin + name_length + extra_length;
  require(header.begin <= directory.begin, outside);
  Fields rest = fields(file, name_begin, header.begin);
  header.name = rest.text(name_length);
  read_extra(rest, extra_length, {&header.size, &header.compressed});
  return header;
}

/** Bytes of the descriptor behind a member's data, which repeats the numbers its local header left out. */
uint64_t descriptor_size(const InputFile& file, const Header& central, uint64_t at,
                         const Directory& directory) {
  constexpr uint64_t small = 16, large = 24;
  const std::string unsound = shown(central.name) + " has an unsound descriptor in the zip";
  Fields in = fields(file, at, std::min(at + large, directory.begin));
  require(in.left() >= small && in.next(4) == 0x08074B50 && in.next(4) == central.crc, unsound);
  const uint64_t first = in.next(4), second = in.next(4);
  if (first == central.size && second == central.size) return small;
  require(in.left() == 8 && (first | second << 32) == central.size && in.next(8) == central.size, unsound);
  return large;
}

Placed place(const InputFile& file, const Header& central, const Directory& directory) {
  constexpr uint64_t descriptor_follows = 8, utf8_name = 0x800;
  const std::string name = shown(central.name);
  require(central.method == 0, name + " is compressed, expected a member that is stored as it is");
  require((central.flags & ~(descriptor_follows | utf8_name)) == 0, name + " is encrypted or patched");
  require(central.compressed == central.size, name + " has two sizes, although it is not compressed");
  const Header local = read_local(file, central, directory);
  const bool may_defer = central.flags & descriptor_follows;
  const auto agrees = [&](uint64_t one, uint64_t other) { return one == other || (may_defer && one == 0); };
  require(local.name == central.name && local.flags == central.flags && local.method == central.method &&
              agrees(local.crc, central.crc) && agrees(local.size, central.size) &&
              agrees(local.compressed, central.compressed),
          name + " has a local header that disagrees with the zip's directory");
  require(central.size <= directory.begin - local.begin,
          name + " claims " + std::to_string(central.size) + " bytes, which go past the zip's data");
  const uint64_t end = local.begin + central.size;
  return {{central.name, local.begin, central.size, static_cast<uint32_t>(central.crc)},
          central.begin,
          end + (may_defer ? descriptor_size(file, central, end, directory) : 0)};
}

/** Whether a name is a path below one folder, with no way out of it. */
bool is_plain(const std::string& name) {
  if (name.find_first_of(std::string_view("\\\0", 2)) != std::string::npos) return false;
  size_t begin = 0, parts = 0;
  for (size_t end = 0; end != std::string::npos; begin = end + 1, ++parts) {
    end = name.find('/', begin);
    const std::string part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
  }
  return parts > 1;
}

}  // namespace

std::vector<ZipMember> zip_members(const InputFile& file) {
  const Directory directory = find_directory(file);
  Fields in = fields(file, directory.begin, directory.end);
  std::vector<Placed> placed;
  std::unordered_set<std::string> names;
  std::string prefix;
  for (uint64_t i = 0; i < directory.count; ++i) {
    const Header header = read_central(in);
    require(is_plain(header.name), shown(header.name) + " is not a plain path in a folder of the zip");
    if (i == 0) prefix = header.name.substr(0, header.name.find('/') + 1);
    require(header.name.compare(0, prefix.size(), prefix) == 0,
            shown(header.name) + " is not in " + shown(prefix));
    require(names.insert(header.name).second, shown(header.name) + " is in the zip twice");
    placed.push_back(place(file, header, directory));
  }
  require(in.left() == 0,
          "the zip's directory has more than its " + std::to_string(directory.count) + " members");

  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  std::vector<ZipMember> members;
  uint64_t end = 0;
  for (Placed& each : placed) {
    require(each.begin >= end, shown(each.member.name) + " overlaps another member of the zip");
    end = each.end;
    each.member.name.erase(0, prefix.size());
    members.push_back(std::move(each.member));
  }
  return members;
}

}  // namespace distiltune::files
