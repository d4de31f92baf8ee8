#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "format_error.h"
#include "pickle_opcodes.h"
#include "range_reader.h"

// A stack machine for pickles (CPython, Lib/pickletools.py) that has no objects and calls nothing. Globals
// are tags, a call of one of them on a tuple of the right types makes a tensor, a dict or a tuple, and
// nothing else can be said in it. Memory follows the bytes that were read, never a number that they name.

namespace distiltune::files {

/** What a global stands for; there are no others. */
enum class Symbol : uint8_t { ordered_dict, rebuild_tensor, rebuild_parameter, size, storage };

/** What the stack, the memo and every container hold. */
struct Value {
  enum Kind : uint8_t { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };

  Kind kind = none;
  bool present = true;   // false: an entry of the memo that nothing was put in
  uint8_t depth = 0;     // tuple: how deep its items are nested
  uint32_t count = 0;    // tuple: number of items
  uint64_t payload = 0;  // boolean, integer: the value; else where the machine keeps the rest
};

class PickleMachine {
 public:
  /** Obeys one pickle from `in` up to its STOP; `in` then stands behind it. All that is kept takes at most
   * `budget` bytes. Throws FormatError, naming opcode or global and the byte, counted from the pickle's
   * start. */
  PickleMachine(RangeReader& in, uint64_t budget);

  struct Entry {
    uint64_t container;
    Value key;  // none in a list
    Value value;
  };
  struct Storage {
    const char* dtype;
    std::string key;
    uint64_t count;
    uint64_t at;  // byte of the opcode that named it first
  };
  /** A view of a storage, inside it; sizes and strides are the integers items()[sizes..] and
   * items()[strides..]. */
  struct Tensor {
    uint64_t storage;
    uint64_t offset;  // in elements
    uint64_t sizes;
    uint64_t strides;
    uint32_t dimensions;
  };

  const Value& root() const { return root_; }
  /** Of all lists and dicts together, in the order they were filled. */
  const std::deque<Entry>& entries() const { return entries_; }
  const std::string& text(const Value& text) const { return texts_[text.payload]; }
  const Tensor& tensor(const Value& tensor) const { return tensors_[tensor.payload]; }
  const std::deque<Value>& items() const { return items_; }
  const std::deque<Storage>& storages() const { return storages_; }

 private:
  struct Container {
    bool ordered_dict;
    bool contained;  // in another container or a tuple; it cannot grow any more
    uint8_t depth;
    uint64_t count;
  };

  void run();
  void obey();
  [[noreturn]] void fail(const std::string& reason, const std::string& hint = {}) const;
  void require(bool condition, const char* reason) const;
  void charge(uint64_t bytes);

  uint64_t number(size_t bytes);
  int64_t signed_number(size_t bytes);
  std::string line();
  void push_text(uint64_t length);
  void push_global();

  void push(Value value);
  /** Stack and marks are charged for at their highest. */
  void charge_stack();
  /** Height of the stack at the last mark; what is below is out of reach until that is taken. */
  size_t floor() const;
  /** The value under place `first` of the stack, above the last mark. */
  const Value& below(size_t first) const;
  const Value& top() const;
  Value pop();
  /** First place on the stack above the last mark, which is taken away. */
  size_t take_mark();
  void make_tuple(size_t first);
  void make_container(Value::Kind kind, bool ordered_dict);
  void append(size_t first);
  void set_items(size_t first);
  void put(uint64_t index);
  void get(uint64_t index);
  void persistent_id();
  void reduce();
  void build();

  /** Takes note that `value` is now part of something else; its depth. */
  uint8_t enclose(const Value& value);
  void insert(const Value& container, const Value& key, const Value& value);
  const Value& item(const Value& tuple, uint32_t index) const { return items_[tuple.payload + index]; }
  bool is_text(const Value& value, const char* expected) const;
  bool are_sizes(const Value& tuple) const;
  bool are_hooks(const Value& value) const;
  Value rebuilt_tensor(const Value& arguments);
  Value rebuilt_parameter(const Value& arguments) const;

  RangeReader& in_;
  const uint64_t begin_;
  const uint64_t budget_;
  uint64_t charged_ = 0;
  uint64_t at_ = 0;  // byte of the opcode that is obeyed
  Opcode opcode_ = Opcode::PROTO;
  Value root_;

  // Deques: none of them ever asks for one piece of memory as large as the whole.
  std::deque<Value> stack_;
  std::deque<size_t> marks_;  // heights of the stack
  size_t charged_height_ = 0;
  std::deque<Value> memo_;
  std::deque<std::string> texts_;
  std::deque<Value> items_;  // of all tuples
  std::deque<Container> containers_;
  std::deque<Entry> entries_;
  std::deque<Storage> storages_;
  std::unordered_map<std::string, uint64_t> storage_of_key_;
  std::deque<Tensor> tensors_;
};

}  // namespace distiltune::files
