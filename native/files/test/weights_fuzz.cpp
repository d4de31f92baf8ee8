#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "failure.h"
#include "files/pytorch_bin.h"
#include "files/safetensors.h"
#include "files/shards.h"

// libFuzzer's target for every reader of weights (CONTRIBUTING.md says how to run it). Whatever the bytes: a
// Failure, or tensors that can all be read.

using namespace distiltune;

namespace {

template <class Reader>
void open_and_read(const std::string& path) {
  try {
    const Reader reader(path);
    for (size_t place = 0; place < reader.tensors().size(); ++place) {
      std::vector<float> values(static_cast<size_t>(reader.tensors()[place].count));
      try {
        reader.read(place, values.data());
      } catch (const Failure&) {  // of another dtype, or with a wrong checksum
      }
    }
  } catch (const Failure&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int descriptor = memfd_create("weights", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, data, size, 0) != static_cast<ssize_t>(size))
    throw std::runtime_error("no file in memory");
  open_and_read<files::PytorchReader>(path);
  open_and_read<files::SafetensorsReader>(path);
  open_and_read<files::ShardedReader>(path);
  return 0;
}
