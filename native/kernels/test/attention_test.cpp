#include "kernels/attention.h"

#include <numeric>

#include "kernels/layer_norm.h"
#include "kernels/test/twins.h"

using namespace distiltune::kernels;
using namespace distiltune::kernels::test;

namespace {

/** q, k, v side by side in one (tokens, 3 dim) matrix, as the model lays them. */
struct Problem {
  Problem(std::vector<int32_t> lengths, int64_t heads, int64_t head_dim, Dropout dropout = {},
          bool first_only = false)
      : offsets(lengths.size() + 1),
        heads(heads),
        head_dim(head_dim),
        dim(heads * head_dim),
        dropout(dropout),
        first_only(first_only) {
    std::partial_sum(lengths.begin(), lengths.end(), offsets.begin() + 1);
    tokens = offsets.back();
    rows = static_cast<int64_t>(lengths.size());
    queries = first_only ? rows : tokens;
    qkv = random_values(tokens * 3 * dim, 21, 1.5f);
    dout = random_values(queries * dim, 22);
    if (first_only) {
      for (int64_t row = 0; row < rows; ++row) {
        std::copy_n(qkv.data() + offsets[row] * 3 * dim, dim, std::back_inserter(first_queries));
      }
    }
  }
  AttentionShape shape() const { return {offsets.data(), rows, heads, head_dim, first_only}; }
  const float* q() const { return first_only ? first_queries.data() : qkv.data(); }
  int64_t q_stride() const { return first_only ? dim : 3 * dim; }

  std::vector<int32_t> offsets;
  int64_t heads, head_dim, dim, rows = 0, tokens = 0, queries = 0;
  Dropout dropout;
  bool first_only;
  std::vector<float> qkv, first_queries, dout;
};

struct Result {
  std::vector<float> out, lse, dq, dk, dv;
};

/** Rows of a part of (tokens, 3 dim), laid close. */
std::vector<float> part(const std::vector<float>& all, const Problem& problem, int64_t index) {
  std::vector<float> values;
  for (int64_t t = 0; t < problem.tokens; ++t) {
    const float* row = all.data() + (t * 3 + index) * problem.dim;
    values.insert(values.end(), row, row + problem.dim);
  }
  return values;
}

/** What attention multiplies. */
enum class Operands { floats, bf16 };

Result run(const Problem& problem, Operands operands, int threads = 2) {
  const bool rounded = operands == Operands::bf16;
  ThreadPool pool(threads);
  const int64_t dim = problem.dim;
  Result result;
  result.out.assign(problem.queries * dim, 7);
  result.lse.assign(problem.queries * problem.heads, 7);
  const float *k = problem.qkv.data() + dim, *v = k + dim;
  (rounded ? attention_bf16 : attention)(pool, problem.shape(), problem.q(), problem.q_stride(), k, v,
                                         3 * dim, problem.dropout, result.out.data(), result.lse.data());
  std::vector<float> dqkv(problem.tokens * 3 * dim, 7), first(problem.queries * dim, 7);
  (rounded ? attention_backward_bf16 : attention_backward)(
      pool, problem.shape(), problem.q(), problem.q_stride(), k, v, 3 * dim, problem.dropout,
      result.out.data(), result.lse.data(), problem.dout.data(),
      problem.first_only ? first.data() : dqkv.data(), dqkv.data() + dim, dqkv.data() + 2 * dim);
  result.dq = problem.first_only ? first : part(dqkv, problem, 0);
  result.dk = part(dqkv, problem, 1);
  result.dv = part(dqkv, problem, 2);
  return result;
}

/** Runs body(operands) once under every instruction set of this machine for each kind of them. */
template <typename Body>
void on_every_kind(const Body& body) {
  on_every_isa([&] { body(Operands::floats); });
  on_every_bf16_isa([&] { body(Operands::bf16); });
}

/** 0 or 1 / (1 - p) for every score of every row and head, from the public dropout over as many ones. */
std::vector<float> mask(const Problem& problem) {
  int64_t count = 0;
  for (int64_t row = 0; row < problem.rows; ++row) {
    const int64_t length = problem.offsets[row + 1] - problem.offsets[row];
    count += problem.heads * length * length;
  }
  std::vector<float> values(count, 1);
  ThreadPool pool(1);
  apply_dropout(pool, values.data(), problem.dropout, values.data(), count);
  return values;
}

struct Expected {
  std::vector<double> out, lse, dq, dk, dv;
};

/** The textbook, in double. */
Expected textbook(const Problem& problem) {
  const int64_t dim = problem.dim, d = problem.head_dim;
  Expected e{std::vector<double>(problem.queries * dim), std::vector<double>(problem.queries * problem.heads),
             std::vector<double>(problem.queries * dim), std::vector<double>(problem.tokens * dim),
             std::vector<double>(problem.tokens * dim)};
  const auto kept = mask(problem);
  const double scale = 1 / std::sqrt(static_cast<double>(d));
  int64_t element = 0;
  for (int64_t row = 0; row < problem.rows; ++row) {
    const int64_t first = problem.offsets[row], length = problem.offsets[row + 1] - first;
    for (int64_t head = 0; head < problem.heads; ++head, element += length * length) {
      for (int64_t i = 0; i < (problem.first_only ? 1 : length); ++i) {
        const int64_t query = problem.first_only ? row : first + i;
        const float* q = problem.q() + query * problem.q_stride() + head * d;
        const auto kv = [&](int64_t j, int64_t which) {
          return problem.qkv.data() + ((first + j) * 3 + which) * dim + head * d;
        };
        std::vector<double> p(length), dp(length);
        double total = 0;
        for (int64_t j = 0; j < length; ++j) {
          for (int64_t c = 0; c < d; ++c) p[j] += static_cast<double>(q[c]) * kv(j, 1)[c];
          total += p[j] = std::exp(p[j] * scale);
        }
        e.lse[head * problem.queries + query] = std::log(total);
        double delta = 0;
        for (int64_t j = 0; j < length; ++j) {
          p[j] /= total;
          const double keep = kept[element + i * length + j];
          for (int64_t c = 0; c < d; ++c) {
            const double gradient = problem.dout[query * dim + head * d + c];
            e.out[query * dim + head * d + c] += p[j] * keep * kv(j, 2)[c];
            e.dv[(first + j) * dim + head * d + c] += p[j] * keep * gradient;
            dp[j] += gradient * kv(j, 2)[c] * keep;
          }
          delta += p[j] * dp[j];
        }
        for (int64_t j = 0; j < length; ++j) {
          const double ds = p[j] * (dp[j] - delta) * scale;
          for (int64_t c = 0; c < d; ++c) {
            e.dq[query * dim + head * d + c] += ds * kv(j, 1)[c];
            e.dk[(first + j) * dim + head * d + c] += ds * q[c];
          }
        }
      }
    }
  }
  return e;
}

void check_against_textbook(const Problem& problem) {
  const Expected expected = textbook(problem);
  on_every_isa([&] {
    const Result got = run(problem, Operands::floats);
    CHECK_NEAR(distance(got.out, expected.out), 0,
               2e-6);  // a few roundings of exp, its sum and the product with v
    CHECK_NEAR(distance(got.lse, expected.lse), 0, 1e-6);
    CHECK_NEAR(distance(got.dv, expected.dv), 0, 3e-6);
    CHECK_NEAR(distance(got.dq, expected.dq), 0, 5e-6);  // differences of nearly equal terms
    CHECK_NEAR(distance(got.dk, expected.dk), 0, 5e-6);
  });
  // Rounded operands are off by up to 2^-9 each: scores of the size of 5 by up to .02, probabilities by 2%.
  std::vector<Result> results;
  on_every_bf16_isa([&] {
    results.push_back(run(problem, Operands::bf16));
    const Result &got = results.back(), &first = results.front();
    CHECK_NEAR(distance(got.out, expected.out), 0, 2e-2);
    CHECK_NEAR(distance(got.lse, expected.lse), 0, 4e-3);
    CHECK_NEAR(distance(got.dv, expected.dv), 0, 2e-2);
    CHECK_NEAR(distance(got.dq, expected.dq), 0, 2e-2);
    CHECK_NEAR(distance(got.dk, expected.dk), 0, 2e-2);
    CHECK(same_bits(got.out, first.out) && same_bits(got.dq, first.dq));
    CHECK(same_bits(got.dk, first.dk) && same_bits(got.dv, first.dv));
  });
}

}  // namespace

CASE(
    "attention and its gradients equal the textbook's, nearly with rounded operands, for awkward lengths and "
    "widths of heads") {
  check_against_textbook(Problem({2, 1, 3, 15, 16, 17, 31, 33}, 3, 32));
  check_against_textbook(Problem({63, 64, 65, 47, 48, 49}, 2, 64));
  check_against_textbook(Problem({5, 97, 2}, 2, 8));
  check_against_textbook(Problem({20}, 1, 17));
  check_against_textbook(Problem({129, 3}, 1, 100));
}

CASE("attention equals the textbook's at the longest rows") {
  check_against_textbook(Problem({511, 512}, 1, 32));
}

CASE("dropped attention and its gradients equal the textbook's under the same mask") {
  const Dropout dropout{0.1f, 0x123456789abcdef0, 5, 3};
  check_against_textbook(Problem({2, 1, 30, 64, 65, 101}, 3, 32, dropout));
  check_against_textbook(Problem({7, 48, 50}, 2, 64, Dropout{0.5f, 1, 2, 3}));
}

CASE("attention of first tokens alone equals the textbook's, dropped or not") {
  check_against_textbook(Problem({2, 1, 17, 64, 101}, 3, 32, {}, true));
  check_against_textbook(Problem({2, 1, 17, 64, 101}, 3, 32, Dropout{0.1f, 9, 8, 7}, true));
}

CASE("first tokens get the bits they get among all queries, dropout included") {
  const std::vector<int32_t> lengths = {3, 70, 1, 512};
  const Dropout dropout{0.1f, 1, 2, 3};
  on_every_kind([&](Operands operands) {
    const Problem all(lengths, 2, 32, dropout), first(lengths, 2, 32, dropout, true);
    const Result a = run(all, operands), b = run(first, operands);
    for (int64_t row = 0; row < all.rows; ++row) {
      CHECK(std::memcmp(a.out.data() + all.offsets[row] * all.dim, b.out.data() + row * all.dim,
                        all.dim * sizeof(float)) == 0);
    }
  });
}

CASE("1, 2 and 4 threads give the same bits in attention and its gradients") {
  const Problem problem({300, 5, 77, 512, 1, 48}, 4, 32, Dropout{0.1f, 4, 5, 6});
  on_every_kind([&](Operands operands) {
    const Result one = run(problem, operands, 1);
    for (int threads : {2, 4}) {
      const Result other = run(problem, operands, threads);
      CHECK(same_bits(one.out, other.out));
      CHECK(same_bits(one.dq, other.dq) && same_bits(one.dk, other.dk) && same_bits(one.dv, other.dv));
    }
  });
}

CASE("a row alone gets the bits it gets in a batch") {
  on_every_kind([&](Operands operands) {
    const Problem batch({9, 83, 4, 200}, 2, 32);
    const Result together = run(batch, operands);
    for (int64_t row = 0; row < batch.rows; ++row) {
      Problem alone({batch.offsets[row + 1] - batch.offsets[row]}, 2, 32);
      const int64_t first = batch.offsets[row];
      std::copy_n(batch.qkv.data() + first * 3 * batch.dim, alone.qkv.size(), alone.qkv.data());
      std::copy_n(batch.dout.data() + first * batch.dim, alone.dout.size(), alone.dout.data());
      const Result result = run(alone, operands);
      const auto same = [&](const std::vector<float>& one, const std::vector<float>& all) {
        return std::memcmp(one.data(), all.data() + first * batch.dim, one.size() * sizeof(float)) == 0;
      };
      CHECK(same(result.out, together.out) && same(result.dq, together.dq));
      CHECK(same(result.dk, together.dk) && same(result.dv, together.dv));
    }
  });
}

CASE("scores of any size neither overflow nor vanish") {
  Problem problem({40}, 1, 32);
  for (float& value : problem.qkv) value *= 40;  // scores of some thousands
  on_every_kind([&](Operands operands) {
    const Result result = run(problem, operands);
    for (const auto* values : {&result.out, &result.dq, &result.dk, &result.dv}) {
      for (float value : *values) CHECK(std::isfinite(value));
    }
  });
}

MAIN
