#include "pickle_machine.h"

#include <algorithm>
#include <cstdio>

#include "number.h"
#include "utf8.h"

namespace distiltune::files {
namespace {

// Over what any state dict needs, and low enough that the worst pickle within them ends in a fraction of a
// second.
constexpr size_t highest_stack = 100'000;
constexpr uint64_t largest_memo = 1'000'000;
constexpr uint8_t deepest_nesting = 64;

bool is_container(const Value& value) { return value.kind == Value::list || value.kind == Value::dict; }

}  // namespace

PickleMachine::PickleMachine(RangeReader& in, uint64_t budget) : in_(in), begin_(in.at()), budget_(budget) {
  run();
}

void PickleMachine::fail(const std::string& reason, const std::string& hint) const {
  const char* name = opcode_name(opcode_);
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned>(opcode_));
  throw FormatError(
      std::string("opcode ") + (name ? name : byte) + " at byte " + std::to_string(at_) + " " + reason, hint);
}

void PickleMachine::require(bool condition, const char* reason) const {
  if (!condition) fail(reason);
}

void PickleMachine::charge(uint64_t bytes) {
  charged_ += bytes;
  require(charged_ <= budget_, "makes more of the pickle than its file has bytes");
}

void PickleMachine::run() {
  // Protocol 2 is what torch writes; the higher ones have opcodes that no tensor needs.
  if (in_.left() < 2 || number(1) != static_cast<uint64_t>(Opcode::PROTO))
    throw FormatError("the pickle does not start with opcode PROTO");
  const uint64_t protocol = number(1);
  if (protocol != 2)
    throw FormatError("opcode PROTO at byte 0 asks for protocol " + std::to_string(protocol) +
                      ", expected 2");
  do {
    at_ = in_.at() - begin_;
    if (in_.left() == 0)
      throw FormatError("the pickle ends at byte " + std::to_string(at_) + " without STOP");
    opcode_ = static_cast<Opcode>(number(1));
    obey();
  } while (opcode_ != Opcode::STOP);
}

void PickleMachine::obey() {
  switch (opcode_) {
    case Opcode::NONE:
      return push({});
    case Opcode::NEWTRUE:
      return push({Value::boolean, true, 0, 0, 1});
    case Opcode::NEWFALSE:
      return push({Value::boolean, true, 0, 0, 0});
    case Opcode::BININT1:
      return push({Value::integer, true, 0, 0, number(1)});
    case Opcode::BININT2:
      return push({Value::integer, true, 0, 0, number(2)});
    case Opcode::BININT:
      return push({Value::integer, true, 0, 0, static_cast<uint64_t>(signed_number(4))});
    case Opcode::LONG1: {
      const uint64_t length = number(1);
      require(length <= 8, "holds a number of more than 8 bytes");
      return push({Value::integer, true, 0, 0, static_cast<uint64_t>(signed_number(length))});
    }
    case Opcode::BINFLOAT:
      number(8);
      return push({Value::real, true, 0, 0, 0});
    case Opcode::BINUNICODE:
      return push_text(number(4));
    case Opcode::SHORT_BINSTRING:
      return push_text(number(1));
    case Opcode::GLOBAL:
      return push_global();
    case Opcode::MARK:
      marks_.push_back(stack_.size());
      return charge_stack();
    case Opcode::EMPTY_TUPLE:
      return make_tuple(stack_.size());
    case Opcode::TUPLE:
      return make_tuple(take_mark());
    case Opcode::TUPLE1:
    case Opcode::TUPLE2:
    case Opcode::TUPLE3: {
      const size_t count = static_cast<size_t>(opcode_) - static_cast<size_t>(Opcode::TUPLE1) + 1;
      require(stack_.size() - floor() >= count, "finds too few values on the stack");
      return make_tuple(stack_.size() - count);
    }
    case Opcode::EMPTY_LIST:
      return make_container(Value::list, false);
    case Opcode::EMPTY_DICT:
      return make_container(Value::dict, false);
    case Opcode::APPEND:
      require(!stack_.empty(), "finds too few values on the stack");
      return append(stack_.size() - 1);
    case Opcode::APPENDS:
      return append(take_mark());
    case Opcode::SETITEM:
      require(stack_.size() >= 2, "finds too few values on the stack");
      return set_items(stack_.size() - 2);
    case Opcode::SETITEMS:
      return set_items(take_mark());
    case Opcode::BINPUT:
      return put(number(1));
    case Opcode::LONG_BINPUT:
      return put(number(4));
    case Opcode::BINGET:
      return get(number(1));
    case Opcode::LONG_BINGET:
      return get(number(4));
    case Opcode::BINPERSID:
      return persistent_id();
    case Opcode::REDUCE:
      return reduce();
    case Opcode::BUILD:
      return build();
    case Opcode::STOP:
      root_ = pop();
      return require(stack_.empty() && marks_.empty(), "leaves values on the stack");
    default:
      fail("is not one that builds tensors",
           "torch.load runs what such a file says; save the model again from a Python you trust, with "
           "save_pretrained(folder, safe_serialization=True)");
  }
}

/** The next `bytes` bytes, at most 8, the lowest first. */
uint64_t PickleMachine::number(size_t bytes) {
  unsigned char buffer[8];
  require(in_.left() >= bytes, "is cut short");
  in_.read(buffer, bytes);
  return little_endian(buffer, bytes);
}

int64_t PickleMachine::signed_number(size_t bytes) {
  if (bytes == 0) return 0;
  const uint64_t value = number(bytes);
  const uint64_t sign = uint64_t{1} << (8 * bytes - 1);
  return static_cast<int64_t>((value ^ sign) - sign);
}

void PickleMachine::push_text(uint64_t length) {
  if (length > in_.left())
    fail("claims a text of " + std::to_string(length) + " bytes, but " + std::to_string(in_.left()) +
         " follow");
  charge(sizeof(std::string) + length);
  std::string text(static_cast<size_t>(length), '\0');
  in_.read(text.data(), text.size());
  require(is_utf8(text), "holds text that is not UTF-8");
  texts_.push_back(std::move(text));
  push({Value::text, true, 0, 0, texts_.size() - 1});
}

void PickleMachine::push(Value value) {
  stack_.push_back(value);
  charge_stack();
}

void PickleMachine::charge_stack() {
  const size_t height = stack_.size() + marks_.size();
  require(height <= highest_stack, "makes the stack too high");
  if (height <= charged_height_) return;
  charged_height_ = height;
  charge(sizeof(Value));
}

size_t PickleMachine::floor() const { return marks_.empty() ? 0 : marks_.back(); }

const Value& PickleMachine::top() const { return below(stack_.size()); }

Value PickleMachine::pop() {
  const Value value = top();
  stack_.pop_back();
  return value;
}

size_t PickleMachine::take_mark() {
  require(!marks_.empty(), "finds no mark on the stack");
  const size_t first = marks_.back();
  marks_.pop_back();
  return first;
}

uint8_t PickleMachine::enclose(const Value& value) {
  if (!is_container(value)) return value.depth;
  Container& container = containers_[value.payload];
  container.contained = true;
  return container.depth;
}

void PickleMachine::make_tuple(size_t first) {
  const uint64_t begin = items_.size();
  uint8_t depth = 0;
  for (size_t i = first; i < stack_.size(); ++i) {
    depth = std::max<uint8_t>(depth, static_cast<uint8_t>(enclose(stack_[i]) + 1));
    items_.push_back(stack_[i]);
  }
  require(depth <= deepest_nesting, "nests values too deep");
  const size_t count = stack_.size() - first;
  charge(count * sizeof(Value));
  stack_.resize(first);
  push({Value::tuple, true, depth, static_cast<uint32_t>(count), begin});
}

void PickleMachine::make_container(Value::Kind kind, bool ordered_dict) {
  charge(sizeof(Container));
  containers_.push_back({ordered_dict, false, 0, 0});
  push({kind, true, 0, 0, containers_.size() - 1});
}

void PickleMachine::insert(const Value& container, const Value& key, const Value& value) {
  charge(sizeof(Entry));
  const auto depth = static_cast<uint8_t>(std::max(enclose(key), enclose(value)) + 1);
  Container& grown = containers_[container.payload];
  // Also where `value` is `container`: so nothing ever holds itself.
  require(!grown.contained, "adds to a container that is part of another one, or of itself");
  grown.depth = std::max(grown.depth, depth);
  require(grown.depth <= deepest_nesting, "nests values too deep");
  ++grown.count;
  entries_.push_back({container.payload, key, value});
}

const Value& PickleMachine::below(size_t first) const {
  require(first > floor(), "finds too few values on the stack");
  return stack_[first - 1];
}

/** The values from place `first` on join the list below them. */
void PickleMachine::append(size_t first) {
  const Value target = below(first);
  require(target.kind == Value::list, "expects a list");
  for (size_t i = first; i < stack_.size(); ++i) insert(target, {}, stack_[i]);
  stack_.resize(first);
}

/** The keys and values from place `first` on join the dict below them. */
void PickleMachine::set_items(size_t first) {
  const Value target = below(first);
  require(target.kind == Value::dict, "expects a dict");
  require((stack_.size() - first) % 2 == 0, "finds a key without a value");
  for (size_t i = first; i < stack_.size(); i += 2) {
    require(stack_[i].kind == Value::text || stack_[i].kind == Value::integer,
            "expects texts or integers for keys");
    insert(target, stack_[i], stack_[i + 1]);
  }
  stack_.resize(first);
}

void PickleMachine::put(uint64_t index) {
  require(index < largest_memo, "puts too many values into the memo");
  const Value value = top();
  if (index >= memo_.size()) {
    charge((index + 1 - memo_.size()) * sizeof(Value));
    memo_.resize(static_cast<size_t>(index + 1), Value{Value::none, false, 0, 0, 0});
  }
  memo_[static_cast<size_t>(index)] = value;
}

void PickleMachine::get(uint64_t index) {
  if (index >= memo_.size() || !memo_[static_cast<size_t>(index)].present)
    fail("asks for entry " + std::to_string(index) + " of the memo, which is not there");
  push(memo_[static_cast<size_t>(index)]);
}

}  // namespace distiltune::files
