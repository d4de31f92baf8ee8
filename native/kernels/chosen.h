#pragma once
#include <atomic>

namespace distiltune::kernels {

/** A table of loops that all threads use: the machine's until another is named. */
template <typename Loops>
class Chosen {
 public:
  /** `machines()` gives the machine's, asked at the first call. */
  template <typename Machines>
  const Loops& get(const Machines& machines) {
    const Loops* loops = loops_.load(std::memory_order_acquire);
    if (loops == nullptr) {
      loops = &machines();
      loops_.store(loops, std::memory_order_release);
    }
    return *loops;
  }
  void set(const Loops& loops) { loops_.store(&loops, std::memory_order_release); }

 private:
  std::atomic<const Loops*> loops_{nullptr};
};

}  // namespace distiltune::kernels
