#include "common/exec/batches.h"

#include <utility>

namespace hail {
namespace {

struct Round : std::enable_shared_from_this<Round> {
  void Batch(bool first) {
    batch(first, [self = shared_from_this()](bool more) {
      self->executor->PostAfter(more ? self->times.pause : self->times.round_every,
                                [self, more] { self->Batch(/*first=*/!more); });
    });
  }

  Executor* executor;
  BatchTimes times;
  std::function<void(bool, std::function<void(bool)>)> batch;
};

}  // namespace

void RunBatches(Executor* executor, const BatchTimes& times,
                std::function<void(bool first, std::function<void(bool more)> finished)> batch) {
  auto round = std::make_shared<Round>();
  round->executor = executor;
  round->times = times;
  round->batch = std::move(batch);
  executor->PostAfter(times.round_every, [round] { round->Batch(/*first=*/true); });
}

}  // namespace hail
