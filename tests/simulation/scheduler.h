// The one thread of a simulation: it runs tasks in order of time. Time jumps from one task to the next.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "common/time/steady_wall.h"

namespace hail::simulation {

// One run of a process or phone. Its pending tasks are dropped with it.
class Life {
 public:
  bool alive() const { return alive_; }

 private:
  friend class Scheduler;
  bool alive_ = true;
};

class Scheduler {
 public:
  explicit Scheduler(absl::Time start) : now_(start) {}

  absl::Time now() const { return now_; }

  // Runs `task` at `when` (or now, if `when` has passed), after all tasks that were scheduled before for the same
  // instant. `life` may be null (the simulation's own tasks); a task does not run once its life has ended.
  void At(absl::Time when, const Life* life, std::function<void()> task);
  void After(absl::Duration wait, const Life* life, std::function<void()> task) {
    At(now_ + wait, life, std::move(task));
  }

  // Ends a life: destroys its tasks without running them. No task of it may be scheduled afterwards.
  void End(Life* life);

  // Runs the next task. False: there was none.
  bool Step();

  std::uint64_t steps() const { return steps_; }

 private:
  struct Task {
    absl::Time when;
    std::uint64_t number;
    const Life* life;
    std::function<void()> run;
  };
  static bool Later(const Task& a, const Task& b) { return a.when != b.when ? a.when > b.when : a.number > b.number; }

  absl::Time now_;
  std::uint64_t numbers_ = 0;
  std::uint64_t steps_ = 0;
  // A heap: the next task is in front.
  std::vector<Task> tasks_;
};

// The right time: the clock of the world, of its phones and of a database that several processes share.
class SimClock final : public Clock {
 public:
  SimClock(const Scheduler* scheduler, TimeScale scale) : scheduler_(scheduler), scale_(scale) {}
  Now Read() const override { return {scale_.ToDomain(scheduler_->now()), scheduler_->now()}; }
  const TimeScale& scale() const override { return scale_; }

 private:
  const Scheduler* const scheduler_;
  const TimeScale scale_;
};

// A process's clock, as SystemClock is: it reads the clocks of a machine, whose wall clock may be set.
class ProcessClock final : public Clock {
 public:
  // `wrong`: the error of the machine's wall clock. All arguments must outlive this object.
  ProcessClock(const Scheduler* scheduler, TimeScale scale, const absl::Duration* wrong)
      : scheduler_(scheduler), scale_(scale), wrong_(wrong) {
    // A process reads its clock at start, before its machine's clock can be set.
    Read();
  }

  Now Read() const override {
    const absl::Time wall = wall_.At(scheduler_->now() + *wrong_, scheduler_->now() - absl::UnixEpoch());
    return {scale_.ToDomain(wall), wall};
  }
  const TimeScale& scale() const override { return scale_; }
  // The instant `when`, as this clock shows it.
  absl::Time Own(absl::Time when) const { return Read().wall + (when - scheduler_->now()); }

 private:
  const Scheduler* const scheduler_;
  const TimeScale scale_;
  const absl::Duration* const wrong_;
  mutable SteadyWall wall_;
};

// One of a process's threads: runs posted tasks in order, each after a short delay.
class SimExecutor final : public Executor {
 public:
  // `lag` draws the delay of a task.
  SimExecutor(Scheduler* scheduler, const Life* life, std::function<absl::Duration()> lag)
      : scheduler_(scheduler), life_(life), lag_(std::move(lag)) {}

  bool Post(std::function<void()> task) override;
  bool PostAfter(absl::Duration wall, std::function<void()> task) override;
  void Every(absl::Duration period, std::function<void()> task) override;
  std::size_t depth() const override { return 0; }

 private:
  void Repeat(absl::Time due, absl::Duration period, std::shared_ptr<std::function<void()>> task);

  Scheduler* const scheduler_;
  const Life* const life_;
  const std::function<absl::Duration()> lag_;
  // When the last of the posted tasks runs.
  absl::Time last_ = absl::InfinitePast();
};

}  // namespace hail::simulation
