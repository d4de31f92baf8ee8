#pragma once
#include <cstdint>
#include <functional>
#include <memory>

namespace distiltune::kernels {

/**
 * Fork-join pool. Work is cut into tasks whose number and content never depend on the thread count, and a
 * task never adds to what another task adds to: so results have the same bits for any number of threads.
 */
class ThreadPool {
 public:
  /** `threads` counts the caller of run(); 0 means one per physical core this process may use. */
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /** Calls body(task) once for every task in [0, tasks), handed out in rising order to whoever is free;
   * returns when all are done. Callers on several threads take turns, job by job. Not reentrant. `body` must
   * not throw. */
  void run(int64_t tasks, const std::function<void(int64_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace distiltune::kernels
