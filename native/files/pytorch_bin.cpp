#include "pytorch_bin.h"

#include <algorithm>
#include <unordered_map>

#include "../failure.h"
#include "crc32.h"
#include "element.h"
#include "number.h"
#include "other_format.h"
#include "zip.h"

namespace distiltune::files {
namespace {

constexpr uint64_t largest_pickle = 64u << 20;
// For a pickle in a file that is not much larger: a state dict without values.
constexpr uint64_t memory_beyond_file = 64u << 10;

// Two pickles that are the same in every legacy file: the number 0x1950A86A20F9469CFC6C and the version 1001.
constexpr std::string_view legacy_start(
    "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.\x80\x02M\xE9\x03.", 21);

[[noreturn]] void refuse(const std::string& path, const std::string& reason, const std::string& hint) {
  throw Failure("PYTORCH_BIN_INVALID", path + " is not a sound PyTorch file of weights: " + reason, hint);
}

OtherFormat what_instead(std::string_view start) {
  if (start.size() > 8 && start[8] == '{')
    return {"it looks like safetensors", "if that is what it is, name it model.safetensors"};
  if (begins(start, legacy_start.substr(0, 15)))
    return {"it is of another version than 1001 of the old form", ""};
  if (begins(start, "\x80")) return {"it is a Python pickle that torch.save did not write", ""};
  return other_format(start);
}

/** Member of a zip by its name behind the prefix; null if it has none. */
const ZipMember* find(const std::vector<ZipMember>& members, const std::string& name) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const ZipMember& each) { return each.name == name; });
  return found == members.end() ? nullptr : &*found;
}

uint32_t crc32_of(const InputFile& file, uint64_t begin, uint64_t bytes) {
  std::vector<unsigned char> buffer(static_cast<size_t>(std::min<uint64_t>(bytes, 1u << 20)));
  uint32_t sum = 0;
  for (uint64_t done = 0; done < bytes;) {
    const auto some = static_cast<size_t>(std::min<uint64_t>(buffer.size(), bytes - done));
    file.read(begin + done, buffer.data(), some);
    sum = crc32(buffer.data(), some, sum);
    done += some;
  }
  return sum;
}

void require_crc(const InputFile& file, const ZipMember& member) {
  if (crc32_of(file, member.begin, member.size) != member.crc)
    throw FormatError("the checksum of `" + member.name + "` is wrong", "copy or download the file again");
}

/** Where in the pickle a storage was named, for messages. */
std::string named(const PickleMachine::Storage& storage) {
  return "the storage " + storage.key + " that opcode BINPERSID at byte " + std::to_string(storage.at) +
         " names";
}

uint64_t bytes_of(const PickleMachine::Storage& storage) {
  uint64_t bytes = 0;
  if (!multiply(storage.count, bits_of(storage.dtype) / 8, &bytes))
    throw FormatError(named(storage) + " has more than 2^64 bytes");
  return bytes;
}

}  // namespace

PytorchReader::PytorchReader(const std::string& path) : file_(path) {
  try {
    open();
  } catch (const FormatError& error) {
    refuse(path, error.what(), error.hint);
  }
}

void PytorchReader::open() {
  std::string start(static_cast<size_t>(std::min<uint64_t>(file_.size(), 64)), '\0');
  file_.read(0, start.data(), start.size());
  if (begins(start, "PK\x03\x04")) return open_zip();
  if (begins(start, legacy_start)) return open_legacy();
  const OtherFormat other = what_instead(start);
  throw FormatError(other.reason ? other.reason : "it starts neither as a zip nor as the old form does",
                    other.reason ? other.hint : "");
}

PickleMachine PytorchReader::run(RangeReader& in) const {
  return PickleMachine(in, file_.size() + memory_beyond_file);
}

void PytorchReader::open_zip() {
  const std::vector<ZipMember> members = zip_members(file_);
  const ZipMember* pickle = find(members, "data.pkl");
  if (!pickle) throw FormatError("the zip has no data.pkl");
  if (find(members, "constants.pkl"))
    throw FormatError("it is a TorchScript program", "save the model's state_dict() instead");
  if (const ZipMember* order = find(members, "byteorder")) {
    std::string text(static_cast<size_t>(std::min<uint64_t>(order->size, 16)), '\0');
    file_.read(order->begin, text.data(), text.size());
    if (text != "little") throw FormatError("its byteorder is not `little`");
  }
  if (pickle->size > largest_pickle) throw FormatError("its data.pkl has more than 64 MiB");
  require_crc(file_, *pickle);
  RangeReader in(file_, pickle->begin, pickle->begin + pickle->size);
  StateDict dict = state_dict(run(in));
  if (in.left() > 0)
    throw FormatError("data.pkl goes on for " + std::to_string(in.left()) + " bytes after STOP");

  std::unordered_map<std::string, const ZipMember*> data;
  for (const ZipMember& member : members) data.emplace(member.name, &member);
  for (const PickleMachine::Storage& storage : dict.storages) {
    const auto found = data.find("data/" + storage.key);
    if (found == data.end()) throw FormatError(named(storage) + " is not in the zip");
    const ZipMember& member = *found->second;
    if (member.size != bytes_of(storage))
      throw FormatError(named(storage) + " has " + std::to_string(storage.count) + " elements of " +
                        storage.dtype + ", but its member of the zip has " + std::to_string(member.size) +
                        " bytes");
    storages_.push_back({member.begin, member.size, member.crc, false});
  }
  take(std::move(dict));
}

void PytorchReader::open_legacy() {
  const auto pickle_at = [&](uint64_t begin) {
    return RangeReader(file_, begin, std::min(file_.size(), begin + largest_pickle));
  };
  RangeReader in = pickle_at(legacy_start.size());
  const PickleMachine system = run(in);
  if (number_in_dict(system, "protocol_version") != 1001)
    throw FormatError("its protocol_version is not 1001");
  if (number_in_dict(system, "little_endian") != 1) throw FormatError("its numbers are not little-endian");
  in = pickle_at(in.at());
  StateDict dict = state_dict(run(in));
  in = pickle_at(in.at());
  const std::vector<std::string> keys = text_list(run(in));
  if (keys.size() != dict.storages.size())
    throw FormatError("it lists " + std::to_string(keys.size()) + " storages, but its tensors use " +
                      std::to_string(dict.storages.size()));

  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < dict.storages.size(); ++i) places.emplace(dict.storages[i].key, i);
  storages_.resize(dict.storages.size());
  uint64_t at = in.at();
  for (const std::string& key : keys) {
    const auto found = places.find(key);
    if (found == places.end()) throw FormatError("it lists " + shown(key) + ", twice or for no tensor");
    const PickleMachine::Storage& storage = dict.storages[found->second];
    const uint64_t bytes = bytes_of(storage);
    unsigned char count[8];
    if (file_.size() - at < sizeof count || bytes > file_.size() - at - sizeof count)
      throw FormatError(
          named(storage) + " has " + std::to_string(bytes) + " bytes, which go past the end of the file",
          "the file may be cut short: copy or download it again");
    file_.read(at, count, sizeof count);
    if (little_endian(count, sizeof count) != storage.count)
      throw FormatError(named(storage) + " has " + std::to_string(storage.count) + " elements, but " +
                        std::to_string(little_endian(count, sizeof count)) + " stand before its data");
    storages_[found->second] = {at + sizeof count, bytes, 0, true};
    at += sizeof count + bytes;
    places.erase(found);
  }
  if (at != file_.size())
    throw FormatError("it goes on for " + std::to_string(file_.size() - at) +
                      " bytes after its last storage");
  take(std::move(dict));
}

void PytorchReader::take(StateDict dict) {
  for (StateDict::Tensor& tensor : dict.tensors) {
    const PickleMachine::Storage& storage = dict.storages[tensor.storage];
    uint64_t count = 1;
    bool fits = true;
    for (const uint64_t size : tensor.sizes) fits = fits && multiply(count, size, &count);
    // Views may repeat elements, as expand() does; not without end.
    if (!fits || count > file_.size())
      throw FormatError(shown(tensor.name) + " repeats its elements into more than the file has bytes");
    tensors_.push_back({std::move(tensor.name), storage.dtype, tensor.sizes, count});
    views_.push_back({storages_[tensor.storage].begin, storage.dtype, tensor.offset, std::move(tensor.sizes),
                      std::move(tensor.strides)});
    storage_of_.push_back(tensor.storage);
  }
}

void PytorchReader::read_floats(size_t place, float* out) const {
  Storage& storage = storages_[storage_of_[place]];
  if (!storage.checked && crc32_of(file_, storage.begin, storage.bytes) != storage.crc)
    refuse(path(), "the checksum of the storage of " + shown(tensors_[place].name) + " is wrong",
           "copy or download the file again");
  storage.checked = true;
  read_view(file_, views_[place], out);
}

}  // namespace distiltune::files
