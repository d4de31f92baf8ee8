#include "pool.h"

#include <map>
#include <mutex>

namespace distiltune::base {

std::shared_ptr<kernels::ThreadPool> shared_pool(int threads) {
  static std::mutex mutex;  // each environment calls from a thread of its own
  std::lock_guard<std::mutex> lock(mutex);
  static std::map<int, std::weak_ptr<kernels::ThreadPool>> pools;
  std::weak_ptr<kernels::ThreadPool>& there = pools[threads];
  std::shared_ptr<kernels::ThreadPool> pool = there.lock();
  if (!pool) there = pool = std::make_shared<kernels::ThreadPool>(threads);
  return pool;
}

}  // namespace distiltune::base
