#include "kernels/random.h"

#include <cmath>
#include <vector>

#include "test/check.h"

// Expected values: torch 2.13 on CPU after torch.manual_seed(42), a fresh generator for each case.
using namespace distiltune::kernels;

CASE("the generator is MT19937: the 10,000th draw after seed 5489 is the standard's") {
  Generator generator(5489);
  uint32_t last = 0;
  for (int i = 0; i < 10000; ++i) last = generator.next();
  CHECK(last == 4123659995u);  // C++17, [rand.predef]
}

CASE("a seed is cut to its low 32 bits") {
  Generator whole((uint64_t{7} << 32) | 42), low(42);
  for (int i = 0; i < 700; ++i) CHECK(whole.next() == low.next());
}

CASE("permutation(10) is torch.randperm(10)") {
  Generator generator(42);
  int32_t order[10];
  permutation(generator, order, 10);
  const int32_t expected[10] = {2, 6, 1, 8, 4, 5, 0, 9, 3, 7};
  for (int i = 0; i < 10; ++i) CHECK(order[i] == expected[i]);
}

CASE("20 normal values are torch.randn(20): 24-bit uniforms, the last 16 places drawn again") {
  Generator generator(42);
  float values[20];
  normal(generator, 1, values, 20);
  const double expected[20] = {
      1.9269152879714966,  1.4872840642929077,   0.9007171988487244,  -2.1055209636688232,
      -0.7581311464309692, 1.078317642211914,    0.8008005619049072,  1.680620551109314,
      0.3558599054813385,  -0.6866229772567749,  -0.4933563470840454, 0.2414877861738205,
      -0.2316243201494217, 0.041759490966796875, -0.2515752911567688, 0.859858512878418,
      -0.3097267746925354, -0.3957104980945587,  0.8034093379974365,  -0.6215953826904297};
  for (int i = 0; i < 20; ++i)
    CHECK_NEAR(values[i], expected[i], 1e-6);  // log, cos and sin differ in the last bits
}

CASE("short draws take 53-bit uniforms and keep the spare half of a pair for the next short draw") {
  Generator generator(42);
  int32_t order[7];
  permutation(generator, order, 7);
  float values[6];
  normal(generator, 1, values, 3);
  normal(generator, 1, values + 3, 3);
  const double expected[6] = {1.1561247110366821,  0.3964806795120239, -2.466057062149048,
                              0.36228621006011963, 0.3765491247177124, -0.18080879747867584};
  for (int i = 0; i < 6; ++i) CHECK_NEAR(values[i], expected[i], 1e-6);
}

CASE("a head of 3 x 4 weights with deviation 0.02 is torch's") {
  Generator generator(42);
  float values[12];
  normal(generator, 0.02f, values, 12);
  const double expected[8] = {0.006733807269483805, 0.0025761881843209267, 0.0046892473474144936,
                              0.004606660455465317, -0.022457128390669823, -0.0037265659775584936,
                              0.044164028018713,    -0.012759940698742867};
  for (int i = 0; i < 8; ++i) CHECK_NEAR(values[i], expected[i], 3e-8);
}

CASE("passing over draws leaves the generator where taking them does") {
  for (const int64_t count : {0, 1, 623, 624, 625, 5000}) {
    Generator passed(42), taken(42);
    for (int i = 0; i < 100; ++i) CHECK(passed.next() == taken.next());
    passed.discard(count);
    for (int64_t i = 0; i < count; ++i) taken.next();
    for (int i = 0; i < 700; ++i) CHECK(passed.next() == taken.next());
  }
}

CASE("passing over normal values leaves the generator where drawing them does, spare half and all") {
  // Odd and even counts below 16, whole sixteens, and sixteens with a rest.
  Generator passed(42), drawn(42);
  for (const int64_t count : {3, 16, 5, 40, 1, 2, 1000, 7}) {
    std::vector<float> values(count);
    discard_normal(passed, count);
    normal(drawn, 1, values.data(), count);
    float after[2][3];
    normal(passed, 1, after[0], 3);
    normal(drawn, 1, after[1], 3);
    for (int i = 0; i < 3; ++i) CHECK(after[0][i] == after[1][i]);
    CHECK(passed.next() == drawn.next());
  }
}

MAIN
