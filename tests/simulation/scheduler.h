// The one thread of a simulation: what happens when. Time jumps from one thing to the next.
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

// One run of a process or phone: what it had planned dies with it.
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

  // Runs `task` at `when` (or now, if that is over), after all that was planned for the same instant before. `life` may
  // be null (the world's own); a task of a life that has ended does not run.
  void At(absl::Time when, const Life* life, std::function<void()> task);
  void After(absl::Duration wait, const Life* life, std::function<void()> task) {
    At(now_ + wait, life, std::move(task));
  }

  // Ends a life: its tasks are destroyed now, without being run. Nothing of it may be planned any more.
  void End(Life* life);

  // Runs the next task. False: there is none.
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

// The time that it is: the clock of the world, of its phones and of a database that several processes share.
class SimClock final : public Clock {
 public:
  SimClock(const Scheduler* scheduler, TimeScale scale) : scheduler_(scheduler), scale_(scale) {}
  Now Read() const override { return {scale_.ToDomain(scheduler_->now()), scheduler_->now()}; }
  const TimeScale& scale() const override { return scale_; }

 private:
  const Scheduler* const scheduler_;
  const TimeScale scale_;
};

// A process's clock, as SystemClock is: over the clocks of a machine, of which the wall clock may be set.
class ProcessClock final : public Clock {
 public:
  // `wrong`: by how much the machine's wall clock is. All must outlive this.
  ProcessClock(const Scheduler* scheduler, TimeScale scale, const absl::Duration* wrong)
      : scheduler_(scheduler), scale_(scale), wrong_(wrong) {
    // A process reads its clock when it starts, however soon after that its machine's clock is set.
    Read();
  }

  Now Read() const override {
    const absl::Time wall = wall_.At(scheduler_->now() + *wrong_, scheduler_->now() - absl::UnixEpoch());
    return {scale_.ToDomain(wall), wall};
  }
  const TimeScale& scale() const override { return scale_; }
  // What is at `when`, as this clock counts.
  absl::Time Own(absl::Time when) const { return Read().wall + (when - scheduler_->now()); }

 private:
  const Scheduler* const scheduler_;
  const TimeScale scale_;
  const absl::Duration* const wrong_;
  mutable SteadyWall wall_;
};

// One of a process's threads: runs what is posted in order, each a little later than it was posted.
class SimExecutor final : public Executor {
 public:
  // `lag` draws how long a task waits for its turn.
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
