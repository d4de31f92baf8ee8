// Every operation over our kernels in float against its plain twin over ATen in double: outputs, gradients,
// dropout's masks.
#include "twins.h"

namespace distiltune::engine::test {
namespace {

constexpr int64_t positions = 512;
constexpr int64_t dim = 48;
constexpr int64_t heads = 4;
constexpr int64_t wide = 200;  // no multiple of any tile
const model::Shape shape{60, positions, 1, heads, dim, wide, 3, Activation::gelu};

const Dropout kept{};
const Dropout dropped{0.1f, 42, 3, 5};

CASE("embed: tables, positions, and a word gradient over two batches that leaves padding out") {
  Twins twins;
  const OwnBatch first({1, 2, 7, positions}, shape, 1), second({3, 1}, shape, 2);
  const Pair word = twins.drawn(shape.vocab_size, dim), position = twins.drawn(positions, dim);
  const Pair out = twins.empty(first.ids.size(), dim);
  const Pair d1 = twins.drawn(first.ids.size(), dim), d2 = twins.drawn(second.ids.size(), dim);
  const Pair dposition = twins.drawn(positions, dim);
  std::vector<Values> dwords;
  std::vector<double> squares;
  twins.both([&](Ops& ops, auto pick) {
    ops.embed(first.rows(), pick(word), pick(position), pick(out));
    WordGradient dword;
    ops.embed_backward(first.rows(), pick(d1), 0, dword, pick(dposition));
    ops.embed_backward(second.rows(), pick(d2), 0, dword, pick(dposition));
    CHECK(dword.rows.ids.front() != 0);
    dwords.push_back(dense(dword, shape));
    squares.push_back(ops.sum_of_squares(dword));
  });
  check("out", out);
  check("dposition", dposition);
  CHECK_NEAR(distance(dwords[0], dwords[1]), 0, tolerance);
  CHECK_NEAR(squares[0], squares[1], tolerance * squares[1]);
  CHECK_NEAR(squares[1], norm(dwords[1]) * norm(dwords[1]), 1e-12 * squares[1]);
}

CASE("first_tokens: picked up and put back") {
  Twins twins;
  const OwnBatch batch({1, 2, 7, positions}, shape, 1);
  const Pair x = twins.drawn(batch.ids.size(), dim), out = twins.empty(4, dim);
  const Pair dout = twins.drawn(4, dim), dx = twins.drawn(batch.ids.size(), dim);
  twins.both([&](Ops& ops, auto pick) {
    ops.first_tokens(batch.rows(), pick(x), pick(out));
    ops.first_tokens_backward(batch.rows(), pick(dout), pick(dx));
  });
  check("out", out);
  check("dx", dx);
}

CASE("linear: product, both gradients, adding and strided, for 1, 2, 7 and 512 rows") {
  for (const int64_t rows : {int64_t{1}, int64_t{2}, int64_t{7}, positions}) {
    Twins twins;
    const Pair x = twins.drawn(rows, 3 * dim), w = twins.drawn(wide, dim), b = twins.drawn(1, wide);
    const Pair y = twins.empty(rows, wide), dy = twins.drawn(rows, wide);
    const Pair dx = twins.empty(rows, dim), added = twins.drawn(rows, 3 * dim);
    const Pair dw = twins.drawn(wide, dim), db = twins.drawn(1, wide);
    const Pair fresh = twins.drawn(wide, dim), fresh_b = twins.drawn(1, wide);
    twins.both([&](Ops& ops, auto pick) {
      const View middle = pick(x).columns(dim, dim);
      ops.linear(middle, pick(w), pick(b), pick(y));
      ops.linear_backward_input(pick(dy), pick(w), pick(dx), false);
      ops.linear_backward_input(pick(dy), pick(w), pick(added).columns(dim, dim), true);
      ops.linear_backward_weight(pick(dy), middle, pick(fresh), pick(fresh_b), false);
      ops.linear_backward_weight(pick(dy), middle, pick(dw), pick(db), true);
    });
    check("y", y);
    check("dx", dx);
    check("dx, added", added);
    check("dw", dw);
    check("db", db);
    check("dw, overwritten", fresh);
    check("db, overwritten", fresh_b);
  }
}

CASE("activate: gelu and relu, in place and not, and their slopes") {
  for (const Activation activation : {Activation::gelu, Activation::relu}) {
    Twins twins;
    const Pair x = twins.drawn(positions, wide), y = twins.empty(positions, wide);
    const Pair d = twins.drawn(positions, wide), dx = twins.empty(positions, wide);
    twins.both([&](Ops& ops, auto pick) {
      ops.activate(activation, pick(x), pick(y));
      ops.activate_backward(activation, pick(x), pick(d), pick(dx));
      ops.activate_backward(activation, pick(x), pick(d), pick(d));
      ops.activate(activation, pick(x), pick(x));
    });
    check("y", y);
    check("dx", dx);
    check("dx in place", d);
    check("y in place", x);
  }
}

CASE("drop: the same values in both twins, about a tenth, the others scaled") {
  Twins twins;
  const Pair x = twins.drawn(positions, wide), y = twins.empty(positions, wide);
  twins.both([&](Ops& ops, auto pick) { ops.drop(pick(x), dropped, pick(y)); });
  check("y", y);
  double zeros = 0;
  for (const double value : values_of(y.single)) zeros += value == 0;
  CHECK_NEAR(zeros / y.single.count(), 0.1, 0.005);  // five standard deviations of 102,400 draws
}

CASE("layer_norm: with and without residual and dropout, for 1, 2, 7 and 512 rows") {
  for (const int64_t rows : {int64_t{1}, int64_t{2}, int64_t{7}, positions}) {
    for (const bool whole : {false, true}) {
      Twins twins;
      const Pair x = twins.drawn(rows, dim), residual = twins.drawn(rows, dim);
      const Pair gamma = twins.drawn(1, dim), beta = twins.drawn(1, dim), y = twins.empty(rows, dim);
      const Pair mean = twins.empty(1, rows), rstd = twins.empty(1, rows);
      const Pair d = twins.drawn(rows, dim), dgamma = twins.drawn(1, dim), dbeta = twins.drawn(1, dim);
      twins.both([&](Ops& ops, auto pick) {
        ops.layer_norm(pick(x), whole ? dropped : kept, whole ? pick(residual) : View{}, pick(gamma),
                       pick(beta), pick(x), pick(mean), pick(rstd), pick(y));
        ops.layer_norm_backward(pick(d), pick(x), pick(mean), pick(rstd), pick(gamma), pick(d), pick(dgamma),
                                pick(dbeta));
      });
      check("sum", x);
      check("y", y);
      check("rstd", rstd);
      check("dsum", d);
      check("dgamma", dgamma);
      check("dbeta", dbeta);
    }
  }
}

CASE("attention: rows of 1, 2, 7 and 512 tokens, dropout off and on, all queries and first ones alone") {
  for (const Dropout& dropout : {kept, dropped}) {
    for (const bool first_only : {false, true}) {
      Twins twins;
      const OwnBatch batch({1, 2, 7, positions}, shape, 1);
      const Attention how{heads, first_only, dropout};
      const int64_t tokens = batch.ids.size();
      const int64_t queries = first_only ? 4 : tokens;
      // Queries of their own, or the first third of one matrix, as the model has them.
      const Pair qs = twins.drawn(queries, first_only ? dim : 3 * dim), kv = twins.drawn(tokens, 2 * dim);
      const Pair out = twins.empty(queries, dim), lse = twins.empty(heads, queries),
                 dout = twins.drawn(queries, dim);
      const Pair dqs = twins.drawn(queries, qs.single.cols), dkv = twins.empty(tokens, 2 * dim);
      twins.both([&](Ops& ops, auto pick) {
        const View q = pick(qs).columns(0, dim), k = pick(kv).columns(0, dim), v = pick(kv).columns(dim, dim);
        ops.attention(batch.rows(), how, q, k, v, pick(out), pick(lse));
        ops.attention_backward(batch.rows(), how, q, k, v, pick(out), pick(lse), pick(dout),
                               pick(dqs).columns(0, dim), pick(dkv).columns(0, dim),
                               pick(dkv).columns(dim, dim));
      });
      check("out", out);
      check("lse", lse);
      check("dq", dqs);
      check("dkv", dkv);
    }
  }
}

CASE("first queries alone see the mask that they have among all queries") {
  Twins twins;
  const OwnBatch batch({1, 2, 7, positions}, shape, 1);
  const int64_t tokens = batch.ids.size();
  const Pair qkv = twins.drawn(tokens, 3 * dim), all = twins.empty(tokens, dim),
             all_lse = twins.empty(heads, tokens);
  const Pair q = twins.empty(4, dim), first = twins.empty(4, dim), first_lse = twins.empty(heads, 4);
  const Pair picked = twins.empty(4, dim);
  twins.both([&](Ops& ops, auto pick) {
    const View x = pick(qkv);
    ops.attention(batch.rows(), {heads, false, dropped}, x.columns(0, dim), x.columns(dim, dim),
                  x.columns(2 * dim, dim), pick(all), pick(all_lse));
    ops.first_tokens(batch.rows(), pick(all), pick(picked));
    for (int64_t row = 0; row < 4; ++row) {
      for (int64_t col = 0; col < dim; ++col) {
        set_at(pick(q), row * dim + col, value_at(x, batch.offsets[row] * 3 * dim + col));
      }
    }
    ops.attention(batch.rows(), {heads, true, dropped}, pick(q), x.columns(dim, dim), x.columns(2 * dim, dim),
                  pick(first), pick(first_lse));
    CHECK_NEAR(distance(values_of(pick(first)), values_of(pick(picked))), 0, tolerance);
  });
}

CASE("sum_of_squares: in double") {
  Twins twins;
  const Pair x = twins.drawn(positions, wide);
  std::vector<double> sums;
  twins.both([&](Ops& ops, auto pick) { sums.push_back(ops.sum_of_squares(pick(x))); });
  // A float sum would be off by 1e-6 and more; squares of floats are exact in double.
  CHECK_NEAR(sums[0], sums[1], 1e-12 * sums[1]);
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
