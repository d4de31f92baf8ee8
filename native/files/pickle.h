#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "pickle_machine.h"

namespace distiltune::files {

/** A state dict without its values: names, and which view of which storage each is. */
struct StateDict {
  struct Tensor {
    std::string name;
    size_t storage;  // place in `storages`
    uint64_t offset;
    std::vector<uint64_t> sizes;
    std::vector<uint64_t> strides;
  };
  std::vector<PickleMachine::Storage> storages;
  std::vector<Tensor> tensors;
};

// What one finished pickle turned out to hold. Each throws FormatError where it is something else.

/** A dict from names, each there once, to tensors; numbers, texts, tuples and lists among them are passed
 * over. */
StateDict state_dict(const PickleMachine& pickle);

/** A list of texts. */
std::vector<std::string> text_list(const PickleMachine& pickle);

/** The integer or boolean `key` of a dict. */
uint64_t number_in_dict(const PickleMachine& pickle, const std::string& key);

}  // namespace distiltune::files
