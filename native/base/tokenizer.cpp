#include "tokenizer.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../node/convert.h"
#include "../node/error.h"
#include "../text/tokenizer.h"
#include "instance.h"

namespace distiltune::base {
namespace {

size_t length_of(Napi::Env env, napi_value value) {
  size_t length = 0;
  if (napi_get_value_string_utf16(env, value, nullptr, 0, &length) != napi_ok) throw Napi::Error::New(env);
  return length;
}

/** Writes a text of this length, and a NUL behind it. */
void copy_text(Napi::Env env, napi_value value, char16_t* to, size_t length) {
  if (napi_get_value_string_utf16(env, value, to, length + 1, &length) != napi_ok)
    throw Napi::Error::New(env);
}

std::u16string string_of(Napi::Value value) {
  std::u16string text(length_of(value.Env(), value), u'\0');
  copy_text(value.Env(), value, text.data(), text.size());
  return text;
}

std::vector<std::u16string> strings_of(Napi::Value value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::u16string> strings(array.Length());
  for (uint32_t i = 0; i < strings.size(); ++i) {
    const Napi::HandleScope scope(value.Env());
    strings[i] = string_of(array.Get(i));
  }
  return strings;
}

/** Texts of one call end to end. */
struct Texts {
  std::unique_ptr<char16_t[]> units;
  std::vector<size_t> ends;
};

Texts texts_of(Napi::Value value) {
  const auto array = value.As<Napi::Array>();
  const Napi::Env env = value.Env();
  // Whatever may run code of the caller's runs once: what is measured is what is copied.
  std::vector<Napi::Value> strings(array.Length());
  Texts texts;
  texts.ends.resize(strings.size());
  size_t end = 0;
  for (uint32_t i = 0; i < strings.size(); ++i) {
    strings[i] = array.Get(i);
    texts.ends[i] = end += length_of(env, strings[i]);
  }
  texts.units.reset(new char16_t[end + 1]);
  for (size_t i = 0, start = 0; i < strings.size(); start = texts.ends[i++])
    copy_text(env, strings[i], texts.units.get() + start, texts.ends[i] - start);
  return texts;
}

text::TokenizerSpec spec_of(Napi::Object object) {
  const auto flag = [&](const char* name) { return object.Get(name).ToBoolean().Value(); };
  text::TokenizerSpec spec;
  spec.tokens = strings_of(object.Get("tokens"));
  spec.normalizer.lowercase = flag("lowercase");
  spec.normalizer.strip_accents =
      object.Get("stripAccents").IsNull() ? spec.normalizer.lowercase : flag("stripAccents");
  spec.normalizer.handle_chinese_chars = flag("handleChineseChars");
  spec.normalizer.clean_text = flag("cleanText");
  spec.normalizer.max_word_code_points = object.Get("maxWordCodePoints").ToNumber();
  spec.unk_token = string_of(object.Get("unkToken"));
  spec.cls_token = string_of(object.Get("clsToken"));
  spec.sep_token = string_of(object.Get("sepToken"));
  spec.special_tokens = strings_of(object.Get("specialTokens"));
  spec.continuing_prefix = string_of(object.Get("continuingPrefix"));
  return spec;
}

text::EncodeOptions options_of(Napi::Object object) {
  text::EncodeOptions options;
  const int32_t max_length = object.Get("maxLength").ToNumber();
  options.max_length = max_length > 0 ? std::max(max_length, 2) : 0;
  options.add_special_tokens = object.Get("addSpecialTokens").ToBoolean();
  options.match_special_tokens = object.Get("matchSpecialTokens").ToBoolean();
  options.spans = object.Get("spans").ToBoolean();
  return options;
}

/** A tokenizer and what each of its two threads has learned: the calling one, and the one of jobs. */
struct Opened {
  explicit Opened(const text::TokenizerSpec& spec) : tokenizer(spec) {}

  const text::Tokenizer tokenizer;
  text::WordCache here, of_jobs;
};

text::Encoding encode_all(const text::Tokenizer& tokenizer, text::WordCache& cache, const Texts& texts,
                          const text::EncodeOptions& options, const node::Cancelled* cancelled) {
  text::Encoding encoding;
  encoding.offsets.reserve(texts.ends.size() + 1);
  // English has a token for every five characters; memory that is reserved and not used costs nothing.
  if (!texts.ends.empty()) encoding.ids.reserve(texts.ends.back() / 4 + 2 * texts.ends.size());
  size_t start = 0;
  for (const size_t end : texts.ends) {
    if (cancelled && *cancelled)
      throw Failure("CANCELLED", "Encoding was cancelled: its environment is going away");
    tokenizer.encode({texts.units.get() + start, end - start}, options, encoding, cache);
    start = end;
  }
  return encoding;
}

template <class TypedArray, class Element>
TypedArray copy(Napi::Env env, const Element* data, size_t length) {
  auto array = TypedArray::New(env, length);
  std::copy_n(data, length, array.Data());
  return array;
}

Napi::Value to_javascript(Napi::Env env, const text::Encoding& encoding, bool spans) {
  static_assert(sizeof(text::Span) == 2 * sizeof(int32_t));
  auto result = Napi::Object::New(env);
  result.Set("ids", copy<Napi::Int32Array>(env, encoding.ids.data(), encoding.ids.size()));
  result.Set("offsets", copy<Napi::Int32Array>(env, encoding.offsets.data(), encoding.offsets.size()));
  result.Set("truncated", copy<Napi::Uint8Array>(env, encoding.truncated.data(), encoding.truncated.size()));
  if (spans) {
    const auto* flat = reinterpret_cast<const int32_t*>(encoding.spans.data());
    result.Set("spans", copy<Napi::Int32Array>(env, flat, 2 * encoding.spans.size()));
  }
  return result;
}

/** Interface NativeTokenizer of lib/runtime/native.ts. */
class Tokenizer : public Napi::ObjectWrap<Tokenizer> {
 public:
  explicit Tokenizer(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    node::guard(info.Env(), [&] { opened_ = std::make_shared<Opened>(spec_of(info[0].As<Napi::Object>())); });
  }

  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Tokenizer",
        {InstanceMethod("encodeSync", &Tokenizer::encode_sync), InstanceMethod("encode", &Tokenizer::encode),
         InstanceMethod("close", &Tokenizer::close)});
  }

 private:
  Napi::Value encode_sync(const Napi::CallbackInfo& info) {
    return node::guard(info.Env(), [&] {
      const auto opened = open_tokenizer();
      const text::EncodeOptions options = options_of(info[1].As<Napi::Object>());
      return to_javascript(info.Env(),
                           encode_all(opened->tokenizer, opened->here, texts_of(info[0]), options, nullptr),
                           options.spans);
    });
  }

  Napi::Value encode(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    try {
      auto opened = open_tokenizer();
      auto texts = std::make_shared<const Texts>(texts_of(info[0]));
      const text::EncodeOptions options = options_of(info[1].As<Napi::Object>());
      return text_jobs(env).queue(env,
                                  [opened = std::move(opened), texts = std::move(texts),
                                   options](const node::Cancelled& cancelled) -> node::Jobs::Finish {
                                    auto encoding = std::make_shared<const text::Encoding>(encode_all(
                                        opened->tokenizer, opened->of_jobs, *texts, options, &cancelled));
                                    return [encoding = std::move(encoding), options](Napi::Env env) {
                                      return to_javascript(env, *encoding, options.spans);
                                    };
                                  });
    } catch (const Failure& failure) {
      return node::rejected(env, failure);
    }
  }

  void close(const Napi::CallbackInfo&) { opened_.reset(); }

  std::shared_ptr<Opened> open_tokenizer() const {
    if (!opened_)
      throw Failure("TOKENIZER_CLOSED", "Expected an open tokenizer, this one has been disposed",
                    "Load it again");
    return opened_;
  }

  std::shared_ptr<Opened> opened_;  // jobs under way keep it alive
};

}  // namespace

void export_tokenizer(Napi::Env env, Napi::Object exports) {
  exports.Set("Tokenizer", Tokenizer::define(env));
}

}  // namespace distiltune::base
