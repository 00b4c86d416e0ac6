#include "tests/simulation/scheduler.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hail::simulation {

void Scheduler::At(absl::Time when, const Life* life, std::function<void()> task) {
  if (life != nullptr && !life->alive()) return;
  tasks_.push_back({std::max(when, now_), numbers_++, life, std::move(task)});
  std::push_heap(tasks_.begin(), tasks_.end(), Later);
}

void Scheduler::End(Life* life) {
  life->alive_ = false;
  // Move the tasks out first: the destructor of a task may call the scheduler.
  std::vector<Task> ended;
  const auto first =
      std::partition(tasks_.begin(), tasks_.end(), [life](const Task& task) { return task.life != life; });
  std::move(first, tasks_.end(), std::back_inserter(ended));
  tasks_.erase(first, tasks_.end());
  std::make_heap(tasks_.begin(), tasks_.end(), Later);
}

bool Scheduler::Step() {
  if (tasks_.empty()) return false;
  std::pop_heap(tasks_.begin(), tasks_.end(), Later);
  const Task task = std::move(tasks_.back());
  tasks_.pop_back();
  now_ = task.when;
  ++steps_;
  task.run();
  return true;
}

bool SimExecutor::Post(std::function<void()> task) {
  last_ = std::max(last_, scheduler_->now() + lag_());
  scheduler_->At(last_, life_, std::move(task));
  return life_->alive();
}

bool SimExecutor::PostAfter(absl::Duration wall, std::function<void()> task) {
  scheduler_->After(wall, life_, std::move(task));
  return life_->alive();
}

void SimExecutor::Every(absl::Duration period, std::function<void()> task) {
  Repeat(scheduler_->now() + period, period, std::make_shared<std::function<void()>>(std::move(task)));
}

void SimExecutor::Repeat(absl::Time due, absl::Duration period, std::shared_ptr<std::function<void()>> task) {
  scheduler_->At(due, life_, [this, due, period, task = std::move(task)] {
    (*task)();
    Repeat(due + period, period, task);
  });
}

}  // namespace hail::simulation
