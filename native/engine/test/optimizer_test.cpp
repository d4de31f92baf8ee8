// AdamW over our kernels in float and over ATen in double: against each other, and against a worked example.
#include "twins.h"

namespace distiltune::engine::test {
namespace {

using kernels::AdamWFlavor;

constexpr AdamWFlavor flavors[] = {AdamWFlavor::torch, AdamWFlavor::hf};
constexpr int64_t dim = 48;
const model::Shape shape{60, 512, 1, 4, dim, 200, 3, Activation::gelu};

CASE("adamw: ten updates of a matrix and of a word table, with decay and clipping, in both flavors") {
  for (const AdamWFlavor flavor : flavors) {
    Twins twins;
    const Pair p = twins.drawn(200, dim), m = twins.drawn(200, dim), v = twins.drawn(200, dim);
    const Pair word = twins.drawn(shape.vocab_size, dim), g = twins.drawn(200, dim);
    const Pair word_m = twins.empty(shape.vocab_size, dim), word_v = twins.empty(shape.vocab_size, dim);
    const Pair dposition = twins.drawn(512, dim), d = twins.drawn(9, dim);
    const OwnBatch batch({9}, shape, 3);
    twins.both([&](Ops& ops, auto pick) {
      for (const Pair& each : {m, v, word_m, word_v}) {
        for (int64_t at = 0; at < each.single.count(); ++at) set_at(pick(each), at, 0);
      }
      WordGradient dword;
      LateRows late;
      ops.embed_backward(batch.rows(), pick(d), 0, dword, pick(dposition));
      for (int64_t step = 1; step <= 10; ++step) {
        const AdamWStep how{flavor, 0.01, 0.9, 0.999, 1e-3, 0.01, step, 0.25};
        ops.adamw(how, pick(p), pick(m), pick(v), pick(g));
        ops.adamw(how, pick(word), pick(word_m), pick(word_v), step % 3 == 0 ? WordGradient{} : dword, late);
      }
      ops.level(pick(word), pick(word_m), pick(word_v), nullptr, late);
    });
    for (const Pair& each : {p, m, v, word, word_m, word_v}) check("adamw", each);
  }
}

/** Three updates of w (two values, with decay) and b (one, without), clipped at 1. What both AdamW make of
 * them was computed with the classes of Transformers 4.18 and of torch, in float64, to nine digits. */
struct Run {
  const char* name;
  double epsilon, weight_decay;
  double rates[3];
  double hf[3][3], torch[3][3];  // after each step: w, b
};
const Run runs[] = {
    {"A",
     1e-8,
     0.01,
     {0, 0.1, 0.0666666667},
     {{0.5, -0.3, 0.1},
      {0.426790362, -0.234787407, 0.0343412357},
      {0.442911089, -0.243067826, 0.000504958929}},
     {{0.5, -0.3, 0.1},
      {0.426717521, -0.234722403, 0.0343412001},
      {0.442849247, -0.243008496, 0.000504905142}}},
    {"B",
     1e-8,
     0,
     {5e-5, 3.33333333e-5, 1.66666667e-5},
     {{0.49995, -0.29995, 0.09995},
      {0.499925739, -0.299928341, 0.0999281138},
      {0.499929843, -0.299930451, 0.0999196547}},
     {{0.49995, -0.29995, 0.09995},
      {0.499925739, -0.299928341, 0.0999281137},
      {0.499929843, -0.299930451, 0.0999196547}}},
    {"C",
     0.01,
     0,
     {0.1, 0.0666666667, 0.0333333333},
     {{0.445988858, -0.229860735, 0.0362101112},
      {0.419748559, -0.199478776, 0.00829108789},
      {0.42541768, -0.202751697, -0.00249769987}},
     {{0.402621985, -0.201328408, 0.00176340199},
      {0.35587506, -0.158819268, -0.0409253427},
      {0.363886732, -0.162974639, -0.057333177}}},
};
constexpr double gradients[3][3] = {{0.6, -1.2, 0.9}, {0.03, 0.02, -0.01}, {-3, 4, 0}};
constexpr double clipped_from[3] = {1.61554944, 0.0374165739, 5};  // norms

void check_run(Ops& ops, const Run& run, AdamWFlavor flavor, double tolerance) {
  const auto& after = flavor == AdamWFlavor::hf ? run.hf : run.torch;
  Buffer buffer(64 * 12);
  Cutter cutter(ops.dtype(), buffer.data());
  const View p = cutter.vector(3), m = cutter.vector(3), v = cutter.vector(3), g = cutter.vector(3);
  const double start[3] = {0.5, -0.3, 0.1};
  for (int at = 0; at < 3; ++at) {
    set_at(p, at, start[at]);
    set_at(m, at, 0);
    set_at(v, at, 0);
  }
  for (int step = 0; step < 3; ++step) {
    for (int at = 0; at < 3; ++at) set_at(g, at, gradients[step][at]);
    const double norm = std::sqrt(ops.sum_of_squares(g));
    CHECK_NEAR(norm, clipped_from[step], 1e-8 + tolerance);
    AdamWStep how{flavor,      run.rates[step],  0.9,      0.999,
                  run.epsilon, run.weight_decay, step + 1, std::min(1.0, 1 / (norm + 1e-6))};
    ops.adamw(how, p.columns(0, 2), m.columns(0, 2), v.columns(0, 2), g.columns(0, 2));
    how.weight_decay = 0;
    ops.adamw(how, p.columns(2, 1), m.columns(2, 1), v.columns(2, 1), g.columns(2, 1));
    for (int at = 0; at < 3; ++at) {
      const double off = std::fabs(value_at(p, at) - after[step][at]);
      if (!(off <= tolerance))
        throw distiltune::test::Mismatch{std::string(run.name) + ", step " + std::to_string(step + 1) +
                                         ", value " + std::to_string(at) + " is off by " +
                                         std::to_string(off / tolerance) + " tolerances"};
    }
  }
  const double first[2] = {-0.0272173618, 0.0216347317}, second[2] = {0.000498554096, 0.0011910199};
  for (int at = 0; at < 2; ++at) {
    CHECK_NEAR(value_at(m, at), first[at], tolerance);
    CHECK_NEAR(value_at(v, at), second[at], tolerance);
  }
}

CASE("the worked example in both flavors, three settings, in double") {
  const auto ops = make_aten_ops(DType::f64, 1);
  for (const Run& run : runs) {
    for (const AdamWFlavor flavor : flavors)
      check_run(*ops, run, flavor, 1e-9);  // all is given to nine digits
  }
}

CASE("the worked example in float, over our kernels and over ATen") {
  kernels::ThreadPool pool(1);
  const auto cpu = make_cpu_ops(pool), aten = make_aten_ops(DType::f32, 1);
  for (const Run& run : runs) {
    for (const AdamWFlavor flavor : flavors) {
      check_run(*cpu, run, flavor, 1.2e-7);  // four roundings of values near 0.5, 3e-8 each
      check_run(*aten, run, flavor, 1.2e-7);
    }
  }
}

}  // namespace
}  // namespace distiltune::engine::test

MAIN
