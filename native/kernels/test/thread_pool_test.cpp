#include "kernels/thread_pool.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "kernels/cpu_features.h"
#include "test/check.h"

using namespace distiltune::kernels;

CASE("every task runs exactly once, for any number of tasks and threads, job after job") {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (int64_t tasks : {0, 1, 2, 7, 100, 5000}) {
      std::vector<std::atomic<int>> counts(tasks);
      pool.run(tasks, [&](int64_t task) { counts[task].fetch_add(1); });
      for (auto& count : counts) CHECK(count.load() == 1);
    }
    std::atomic<int64_t> total{0};
    for (int job = 0; job < 20000; ++job) pool.run(3, [&](int64_t task) { total.fetch_add(task + 1); });
    CHECK(total.load() == 20000 * 6);
  }
}

CASE("callers on several threads take turns, and each gets its own tasks done") {
  ThreadPool pool(2);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&pool, &wrong, caller] {
      for (int job = 0; job < 1000; ++job) {
        std::atomic<int64_t> sum{0};
        pool.run(3 + caller, [&](int64_t task) {
          sum.fetch_add(task + 1);
          std::this_thread::yield();  // to another caller, within a job
        });
        wrong += sum.load() != (3 + caller) * (4 + caller) / 2;
      }
    });
  }
  for (std::thread& each : callers) each.join();
  CHECK(wrong.load() == 0);
}

CASE("tasks are handed out in rising order and, with one thread, on the caller alone") {
  ThreadPool pool(1);
  std::vector<int64_t> seen;
  const auto caller = std::this_thread::get_id();
  pool.run(50, [&](int64_t task) {
    CHECK(std::this_thread::get_id() == caller);
    seen.push_back(task);
  });
  for (int64_t i = 0; i < 50; ++i) CHECK(seen[i] == i);
}

CASE("workers that fell asleep wake up for the next job and share it") {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    // Each task waits for the other, so both threads must have come.
    std::atomic<int> arrived{0};
    pool.run(2, [&](int64_t) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) std::this_thread::yield();
    });
    CHECK(arrived.load() == 2);
  }
}

CASE("what tasks wrote is seen when run returns") {
  ThreadPool pool(4);
  std::vector<int64_t> values(1000);
  for (int64_t round = 0; round < 200; ++round) {
    pool.run(1000, [&](int64_t task) { values[task] = round + task; });
    for (int64_t i = 0; i < 1000; ++i) CHECK(values[i] == round + i);
  }
}

CASE("an idle pool uses no processor time") {
  ThreadPool pool(4);
  pool.run(8, [](int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  // Seconds the process computed, not seconds that passed: a busy machine changes nothing. A spinning worker
  // would take 0.2.
  CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 0.02);
}

CASE("zero threads means the cores this process may use, at least one") {
  CHECK(usable_cores() >= 1);
  CHECK(ThreadPool(0).threads() == usable_cores());
}

CASE("names of instruction sets are those DISTILTUNE_ISA takes") {
  CHECK(std::string(name(Isa::scalar)) == "scalar");
  CHECK(std::string(name(Isa::avx2)) == "avx2");
  CHECK(std::string(name(Isa::avx512)) == "avx512");
}

MAIN
