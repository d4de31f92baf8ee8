#include "pickle.h"

#include <unordered_set>

#include "tensor_source.h"

namespace distiltune::files {
namespace {

using Machine = PickleMachine;

/** Calls `each` with every entry of the root, which must be of `kind`. */
template <class Each>
void for_root(const Machine& pickle, Value::Kind kind, const char* expected, Each each) {
  if (pickle.root().kind != kind) throw FormatError(std::string("the pickle does not hold ") + expected);
  for (const Machine::Entry& entry : pickle.entries())
    if (entry.container == pickle.root().payload) each(entry);
}

StateDict::Tensor tensor_of(const Machine& pickle, const std::string& name, const Value& value) {
  const Machine::Tensor& tensor = pickle.tensor(value);
  StateDict::Tensor out{name, static_cast<size_t>(tensor.storage), tensor.offset, {}, {}};
  for (uint32_t i = 0; i < tensor.dimensions; ++i) {
    out.sizes.push_back(pickle.items()[tensor.sizes + i].payload);
    out.strides.push_back(pickle.items()[tensor.strides + i].payload);
  }
  return out;
}

}  // namespace

StateDict state_dict(const Machine& pickle) {
  StateDict out;
  std::unordered_set<std::string> names;
  for_root(pickle, Value::dict, "a dict of tensors", [&](const Machine::Entry& entry) {
    if (entry.key.kind != Value::text) throw FormatError("the dict has a key that is not a text");
    const std::string& name = pickle.text(entry.key);
    if (!names.insert(name).second) throw FormatError(shown(name) + " is there twice");
    switch (entry.value.kind) {
      case Value::tensor:
        return out.tensors.push_back(tensor_of(pickle, name, entry.value));
      case Value::dict:
      case Value::global:
      case Value::storage:
        throw FormatError(shown(name) + " is not a tensor",
                          "save the model's state_dict() itself, not a dict around it");
      default:
        return;
    }
  });
  out.storages.assign(pickle.storages().begin(), pickle.storages().end());
  return out;
}

std::vector<std::string> text_list(const Machine& pickle) {
  std::vector<std::string> texts;
  for_root(pickle, Value::list, "a list of texts", [&](const Machine::Entry& entry) {
    if (entry.value.kind != Value::text) throw FormatError("the list holds something that is not a text");
    texts.push_back(pickle.text(entry.value));
  });
  return texts;
}

uint64_t number_in_dict(const Machine& pickle, const std::string& key) {
  const Value* found = nullptr;
  for_root(pickle, Value::dict, "a dict", [&](const Machine::Entry& entry) {
    if (entry.key.kind == Value::text && pickle.text(entry.key) == key) found = &entry.value;
  });
  if (!found || (found->kind != Value::integer && found->kind != Value::boolean))
    throw FormatError("the dict has no number " + shown(key));
  return found->payload;
}

}  // namespace distiltune::files
