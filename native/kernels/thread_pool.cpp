#include "thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "cpu_features.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace distiltune::kernels {
namespace {

// Long enough to bridge the gap between two operations of a step, short enough that an idle host burns no
// core.
constexpr std::chrono::microseconds spin_time{50};
constexpr uint64_t remaining_mask = 0xffffffff;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  __asm__ __volatile__("yield");
#endif
}

template <typename Ready>
bool spin_until(Ready ready) {
  const auto give_up = std::chrono::steady_clock::now() + spin_time;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < give_up);
  return false;
}

}  // namespace

// A job is one 64-bit word: its number above, the tasks not yet claimed below. A claim lowers the word by
// compare and swap, so it can only succeed while that very job waits for its tasks, and what it then reads of
// the job is the job's own.
struct ThreadPool::State {
  std::atomic<uint64_t> word{0};
  std::atomic<int64_t> finished{0};
  int64_t tasks = 0;
  const std::function<void(int64_t)>* body = nullptr;

  std::atomic<int> sleepers{0};
  std::atomic<bool> stopping{false};
  std::mutex callers;  // whoever has a job under way
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;

  bool waiting_for_hands() const { return stopping.load() || (word.load() & remaining_mask) != 0; }

  /** Runs tasks of the current job until none is left to claim. */
  void help() {
    uint64_t seen = word.load(std::memory_order_acquire);
    while ((seen & remaining_mask) != 0) {
      if (!word.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      (*body)(tasks - static_cast<int64_t>(seen & remaining_mask));
      finished.fetch_add(1, std::memory_order_release);
      seen = word.load(std::memory_order_acquire);
    }
  }

  void work() {
    while (!stopping.load()) {
      help();
      if (spin_until([this] { return waiting_for_hands(); })) continue;
      std::unique_lock<std::mutex> lock(mutex);
      sleepers.fetch_add(1);
      wake.wait(lock, [this] { return waiting_for_hands(); });
      sleepers.fetch_sub(1);
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(new State) {
  const int wanted = threads > 0 ? threads : usable_cores();
  for (int i = 1; i < wanted; ++i) {
    try {
      state_->workers.emplace_back([state = state_.get()] { state->work(); });
    } catch (const std::system_error&) {
      break;  // the machine allows no more threads: those that run do the work
    }
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stopping.store(true);
  }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::run(int64_t tasks, const std::function<void(int64_t)>& body) {
  State& state = *state_;
  if (tasks <= 1 || state.workers.empty()) {
    for (int64_t task = 0; task < tasks; ++task) body(task);
    return;
  }
  std::lock_guard<std::mutex> turn(state.callers);
  state.body = &body;
  state.tasks = tasks;
  state.finished.store(0, std::memory_order_relaxed);
  const uint64_t number = (state.word.load(std::memory_order_relaxed) >> 32) + 1;
  state.word.store(number << 32 | static_cast<uint64_t>(tasks));
  if (state.sleepers.load() > 0) {
    {
      std::lock_guard<std::mutex> lock(state.mutex);
    }
    state.wake.notify_all();
  }
  state.help();
  const auto done = [&] { return state.finished.load(std::memory_order_acquire) == tasks; };
  while (!spin_until(done)) std::this_thread::yield();
}

}  // namespace distiltune::kernels
