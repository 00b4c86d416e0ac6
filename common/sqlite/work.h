// The work of the threads that own connections.
#pragma once

#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/sqlite/connection.h"

namespace hail::sqlite {

// Runs on the connection's thread, inside a transaction. Must not begin or end a transaction, block, or wait. An
// exception becomes INTERNAL.
using Job = absl::AnyInvocable<absl::Status(Connection&)>;
// Takes the outcome, exactly once. Must not block or throw.
using Done = absl::AnyInvocable<void(absl::Status)>;

// Wall time after which nobody waits for the outcome; InfiniteFuture: none.
using Deadline = absl::Time;

// Makes a Job and a Done that pass a value between them: for `job` returning StatusOr<T>.
template <typename T>
std::pair<Job, Done> WithResult(absl::AnyInvocable<absl::StatusOr<T>(Connection&)> job,
                                absl::AnyInvocable<void(absl::StatusOr<T>)> done) {
  auto result = std::make_shared<std::optional<T>>();
  return {[result, job = std::move(job)](Connection& connection) mutable -> absl::Status {
            absl::StatusOr<T> got = job(connection);
            if (!got.ok()) return got.status();
            result->emplace(*std::move(got));
            return absl::OkStatus();
          },
          [result, done = std::move(done)](absl::Status status) mutable {
            if (status.ok()) {
              done(absl::StatusOr<T>(*std::move(*result)));
            } else {
              done(absl::StatusOr<T>(std::move(status)));
            }
          }};
}

}  // namespace hail::sqlite
