#include "state.h"

#include <map>

#include "../../failure.h"
#include "../../files/safetensors.h"

namespace distiltune::engine {

namespace {

const std::string first = "exp_avg.", second = "exp_avg_sq.", gradient = "gradient.";
// Of the word table's gradient, in rising order. F32 like the rest: whole numbers up to 2^24 are exact in it,
// and vocabularies end at 10^7.
const std::string rows = "gradient_rows.";

using Sizes = std::vector<uint64_t>;

/** The tensors of one file, each to be read once. */
class Source {
 public:
  explicit Source(const std::string& path) : file_(path) {
    for (size_t place = 0; place < file_.tensors().size(); ++place)
      places_.emplace(file_.tensors()[place].name, place);
  }

  const Sizes& shape(const std::string& name) const { return file_.tensors()[place(name)].shape; }

  void read(const std::string& name, const Sizes& sizes, float* out) {
    const size_t found = place(name);
    if (shape(name) != sizes)
      fail(files::shown(name) + " is " + files::shape_text(shape(name)) + ", expected " +
           files::shape_text(sizes));
    file_.read(found, out);
    places_.erase(name);
  }

  void check_all_read() const {
    if (!places_.empty()) fail("it has " + files::shown(places_.begin()->first) + ", which no one knows");
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw Failure("STATE_INVALID", file_.path() + " is not the state of this run: " + reason);
  }

 private:
  size_t place(const std::string& name) const {
    const auto found = places_.find(name);
    if (found == places_.end()) fail(files::shown(name) + " is missing");
    return found->second;
  }

  files::SafetensorsReader file_;
  std::map<std::string, size_t> places_;
};

/** Ids index the word table, so every one is checked. */
std::vector<int32_t> read_ids(Source& source, const std::string& name, int64_t vocab_size) {
  const Sizes& shape = source.shape(name);
  if (shape.size() != 1 || shape[0] > static_cast<uint64_t>(vocab_size))
    source.fail(files::shown(name) + " is no list of words");
  std::vector<float> values(shape[0]);
  source.read(name, {values.size()}, values.data());
  std::vector<int32_t> ids;
  for (const float value : values) {
    const bool rises = value >= (ids.empty() ? 0 : ids.back() + 1) && value < static_cast<float>(vocab_size);
    if (!rises || value != static_cast<float>(static_cast<int32_t>(value)))
      source.fail(files::shown(name) + " is no list of words");
    ids.push_back(static_cast<int32_t>(value));
  }
  return ids;
}

}  // namespace

void save_state(Training& training, const model::Shape& shape, const std::string& path) {
  training.level();
  std::vector<files::FloatTensor> tensors;
  const std::vector<model::ParameterInfo> infos = model::parameters(shape);
  for (size_t index = 0; index < infos.size(); ++index) {
    const model::ParameterInfo& info = infos[index];
    if (!training.moments1().views()[index].data) continue;  // frozen
    tensors.push_back({first + info.name, info.sizes(), training.moments1().views()[index].f32()});
    tensors.push_back({second + info.name, info.sizes(), training.moments2().views()[index].f32()});
    const View waiting = training.other_gradients().views()[index];
    if (training.counters().pending > 0 && waiting.data)
      tensors.push_back({gradient + info.name, info.sizes(), waiting.f32()});
  }
  const bool words_wait = training.counters().pending > 0 && training.moments1().word_table().data;
  const kernels::RowGradient& words = training.word_gradient().rows;
  const std::vector<float> ids(words.ids.begin(), words.ids.end());
  if (words_wait) {
    const Sizes sizes{ids.size(), static_cast<uint64_t>(shape.dim)};
    tensors.push_back({rows + infos.front().name, {ids.size()}, ids.data()});
    tensors.push_back({gradient + infos.front().name, sizes, words.values.data()});
  }
  if (!Training::all_finite(training.moments1()) || !Training::all_finite(training.moments2()))
    throw Failure("NON_FINITE", "A moment of the optimizer is not a finite number; nothing was written",
                  "go on from an older checkpoint with a lower learning rate");
  files::write_safetensors(path, tensors, {});
}

void load_state(Training& training, const model::Shape& shape, const std::string& path,
                const Counters& counters) {
  Source source(path);
  const std::vector<model::ParameterInfo> infos = model::parameters(shape);
  for (size_t index = 0; index < infos.size(); ++index) {
    const model::ParameterInfo& info = infos[index];
    if (!training.moments1().views()[index].data) continue;
    source.read(first + info.name, info.sizes(), training.moments1().views()[index].f32());
    source.read(second + info.name, info.sizes(), training.moments2().views()[index].f32());
    const View waiting = training.other_gradients().views()[index];
    if (counters.pending > 0 && waiting.data) source.read(gradient + info.name, info.sizes(), waiting.f32());
  }
  if (counters.pending > 0 && training.moments1().word_table().data) {
    kernels::RowGradient& words = training.word_gradient().rows;
    words.ids = read_ids(source, rows + infos.front().name, shape.vocab_size);
    words.values.resize(words.ids.size() * static_cast<size_t>(shape.dim));
    source.read(gradient + infos.front().name, {words.ids.size(), static_cast<uint64_t>(shape.dim)},
                words.values.data());
  }
  source.check_all_read();
  training.counters() = counters;
}

}  // namespace distiltune::engine
