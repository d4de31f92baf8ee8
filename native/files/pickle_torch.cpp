#include <algorithm>

#include "number.h"
#include "pickle_machine.h"
#include "tensor_source.h"

// What globals, persistent ids and calls mean: the part of the machine that knows torch (torch/_utils.py,
// torch/serialization.py).

namespace distiltune::files {
namespace {

constexpr size_t longest_line = 128;

struct Global {
  const char* module;
  const char* name;
  Symbol symbol;
  const char* dtype;  // of a storage
};

// All that may be named.
constexpr Global globals[] = {
    {"collections", "OrderedDict", Symbol::ordered_dict, nullptr},
    {"torch._utils", "_rebuild_tensor_v2", Symbol::rebuild_tensor, nullptr},
    {"torch._utils", "_rebuild_parameter", Symbol::rebuild_parameter, nullptr},
    {"torch", "Size", Symbol::size, nullptr},
    {"torch", "FloatStorage", Symbol::storage, "F32"},
    {"torch", "DoubleStorage", Symbol::storage, "F64"},
    {"torch", "HalfStorage", Symbol::storage, "F16"},
    {"torch", "BFloat16Storage", Symbol::storage, "BF16"},
    {"torch", "LongStorage", Symbol::storage, "I64"},
    {"torch", "IntStorage", Symbol::storage, "I32"},
    {"torch", "ShortStorage", Symbol::storage, "I16"},
    {"torch", "CharStorage", Symbol::storage, "I8"},
    {"torch", "ByteStorage", Symbol::storage, "U8"},
    {"torch", "BoolStorage", Symbol::storage, "BOOL"},
};

bool all_digits(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/** Where a tensor was saved from; nothing is made of it. */
bool is_device(const std::string& text) {
  return text == "cpu" || text == "cuda" || text == "mps" ||
         (text.rfind("cuda:", 0) == 0 && text.size() <= 8 && all_digits(text.substr(5)));
}

std::string printable(std::string text) {
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

}  // namespace

/** Text up to the next line feed, which is passed over. */
std::string PickleMachine::line() {
  std::string text;
  while (true) {
    require(in_.left() > 0, "is cut short");
    const char c = static_cast<char>(number(1));
    if (c == '\n') return text;
    if (text.size() == longest_line) fail("names `" + printable(text) + "...`, which is too long");
    text += c;
  }
}

void PickleMachine::push_global() {
  const std::string module = line();
  const std::string name = line();
  for (const Global& each : globals)
    if (module == each.module && name == each.name)
      return push({Value::global, true, 0, 0, static_cast<uint64_t>(&each - globals)});
  const std::string both = printable(module) + "." + printable(name);
  throw FormatError("global `" + both + "` at byte " + std::to_string(at_) +
                        " is not one of those that tensors are built with",
                    "torch.load would call it; if you trust the file, load it in Python and save the model's "
                    "state_dict() alone");
}

bool PickleMachine::is_text(const Value& value, const char* expected) const {
  return value.kind == Value::text && text(value) == expected;
}

/** ('storage', type, key, device, number of elements), and in legacy files None for "not a view". */
void PickleMachine::persistent_id() {
  const Value id = pop();
  require(id.kind == Value::tuple && (id.count == 5 || id.count == 6) && is_text(item(id, 0), "storage"),
          "expects a tuple that names a storage");
  require(id.count == 5 || item(id, 5).kind == Value::none, "names a view of a storage, as torch 0.3 did");
  const Value &type = item(id, 1), &key = item(id, 2), &device = item(id, 3), &count = item(id, 4);
  require(type.kind == Value::global && globals[type.payload].symbol == Symbol::storage,
          "expects the type of a storage");
  require(key.kind == Value::text && all_digits(text(key)), "expects a storage's key to be digits");
  require(device.kind == Value::text && is_device(text(device)), "expects a storage on cpu, cuda or mps");
  require(count.kind == Value::integer && static_cast<int64_t>(count.payload) >= 0,
          "expects a storage's number of elements");
  const char* dtype = globals[type.payload].dtype;
  const auto [known, added] = storage_of_key_.emplace(text(key), storages_.size());
  if (added) {
    charge(sizeof(Storage) + 2 * text(key).size() + 64);  // with a node of the map
    storages_.push_back({dtype, text(key), count.payload, at_});
  }
  const Storage& storage = storages_[known->second];
  require(storage.dtype == dtype && storage.count == count.payload,
          "names a storage with another type or size than before");
  push({Value::storage, true, 0, 0, known->second});
}

void PickleMachine::reduce() {
  const Value arguments = pop();
  const Value callable = pop();
  require(callable.kind == Value::global, "calls something that is not a global");
  require(arguments.kind == Value::tuple, "expects a tuple of arguments");
  switch (globals[callable.payload].symbol) {
    case Symbol::ordered_dict:
      require(arguments.count == 0, "expects no arguments for OrderedDict");
      return make_container(Value::dict, true);
    case Symbol::rebuild_tensor:
      return push(rebuilt_tensor(arguments));
    case Symbol::rebuild_parameter:
      return push(rebuilt_parameter(arguments));
    case Symbol::size:
      require(arguments.count == 1 && are_sizes(item(arguments, 0)), "expects one tuple of sizes for Size");
      return push(item(arguments, 0));
    case Symbol::storage:
      fail("calls a type of storage");
  }
}

/** An OrderedDict's attributes, which hold the versions of modules; they change no tensor. */
void PickleMachine::build() {
  const Value state = pop();
  const Value target = top();
  require(target.kind == Value::dict && containers_[target.payload].ordered_dict,
          "expects an OrderedDict to build on");
  require(state.kind == Value::dict && state.payload != target.payload, "expects a dict of attributes");
  enclose(state);
}

bool PickleMachine::are_sizes(const Value& tuple) const {
  if (tuple.kind != Value::tuple || tuple.count > most_dimensions) return false;
  for (uint32_t i = 0; i < tuple.count; ++i)
    if (item(tuple, i).kind != Value::integer || static_cast<int64_t>(item(tuple, i).payload) < 0)
      return false;
  return true;
}

/** Backward hooks of a tensor, which must be none. */
bool PickleMachine::are_hooks(const Value& value) const {
  return value.kind == Value::none || (value.kind == Value::dict && containers_[value.payload].count == 0);
}

/** (storage, offset, sizes, strides, requires_grad, hooks) */
Value PickleMachine::rebuilt_tensor(const Value& arguments) {
  require(arguments.count == 6, "expects six arguments for _rebuild_tensor_v2");
  const Value &storage = item(arguments, 0), &offset = item(arguments, 1), &sizes = item(arguments, 2),
              &strides = item(arguments, 3), &grad = item(arguments, 4), &hooks = item(arguments, 5);
  require(storage.kind == Value::storage, "expects a storage to make a tensor of");
  require(offset.kind == Value::integer && static_cast<int64_t>(offset.payload) >= 0,
          "expects an offset from 0 into the storage");
  require(are_sizes(sizes) && are_sizes(strides) && sizes.count == strides.count,
          "expects as many sizes as strides, all from 0");
  require(grad.kind == Value::boolean && are_hooks(hooks), "expects requires_grad and no hooks");
  require(tensors_.size() < most_tensors, "makes too many tensors");
  uint64_t last = offset.payload;  // the last element that is looked at
  bool fits = true, empty = false;
  for (uint32_t i = 0; i < sizes.count; ++i) {
    uint64_t step = 0;
    const uint64_t size = item(sizes, i).payload;
    empty = empty || size == 0;
    if (size > 1)
      fits = fits && multiply(size - 1, item(strides, i).payload, &step) && add(last, step, &last);
  }
  const uint64_t count = storages_[storage.payload].count;
  require(empty ? offset.payload <= count : fits && last < count, "makes a view past the end of its storage");
  charge(sizeof(Tensor));
  tensors_.push_back({storage.payload, offset.payload, sizes.payload, strides.payload, sizes.count});
  return {Value::tensor, true, 0, 0, tensors_.size() - 1};
}

/** (tensor, requires_grad, hooks) */
Value PickleMachine::rebuilt_parameter(const Value& arguments) const {
  require(arguments.count == 3 && item(arguments, 0).kind == Value::tensor &&
              item(arguments, 1).kind == Value::boolean && are_hooks(item(arguments, 2)),
          "expects a tensor, requires_grad and no hooks for _rebuild_parameter");
  return item(arguments, 0);
}

}  // namespace distiltune::files
