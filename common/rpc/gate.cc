#include "common/rpc/gate.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "common/ids/uuid.h"
#include "grpc/grpc.h"

namespace hail::rpc {
namespace {

CallObserver& NoObserver() {
  static auto* const none = new CallObserver();
  return *none;
}

absl::Status Draining() {
  return MakeError(absl::StatusCode::kUnavailable, "this service is shutting down",
                   {.reason = Reason::kDraining, .retry_after = absl::Seconds(1)});
}

// Ticks run in steps at least kStep apart. A step covers at most kTogether streams or 1/kShareOfAll of all streams,
// whichever is more, so that calls do not wait for a tick of all streams.
constexpr absl::Duration kStep = absl::Milliseconds(5);
constexpr std::size_t kTogether = 10;
constexpr std::size_t kShareOfAll = 100;
// In units of GateOptions::tick: the longest time without a tick.
constexpr int kLongest = 4;

// Cancels the held calls and releases them. gRPC may run callbacks of those calls on this thread, and they may call the
// gate.
void CutOff(const std::vector<grpc_call*>& calls) {
  for (grpc_call* call : calls) {
    grpc_call_cancel_with_status(call, GRPC_STATUS_CANCELLED, "the answer was not read", nullptr);
    grpc_call_unref(call);
  }
}

// Made once: see ToGrpc.
const absl::Status& TooManyCalls() {
  static const auto* const refusal = new absl::Status(Overloaded("too many calls in flight", absl::Seconds(1)));
  return *refusal;
}

// How long one who has too much at a time waits; its end depends on the caller alone.
constexpr absl::Duration kUntilLess = absl::Seconds(1);

absl::Status RateLimited(std::string_view message, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = Reason::kRateLimited, .retry_after = retry_after});
}

absl::Status TooOften(absl::Duration wait) { return RateLimited("too many calls of this kind", wait); }

// Made once, as TooManyCalls.
const absl::Status& TooManyOfOne() {
  static const auto* const refusal =
      new absl::Status(RateLimited("the caller has too many calls or streams open", kUntilLess));
  return *refusal;
}

std::size_t PartOf(std::size_t all, double share) {
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(all) * share));
}

// Operators, and their backends.
bool IsStaff(const auth::Identity& identity) {
  return identity.role == auth::Role::kServer || identity.role == auth::Role::kOperator;
}

// The other service's calls are for everybody.
bool IsPeer(const auth::Identity& identity) {
  return identity.role == auth::Role::kRiderService || identity.role == auth::Role::kDriverService;
}

}  // namespace

Gate::Gate(const Clock* clock, GateOptions options, CallObserver* observer)
    : clock_(clock),
      options_(std::move(options)),
      observer_(observer != nullptr ? observer : &NoObserver()),
      keys_(SystemRandom()),
      rates_(options_.rates) {
  if (options_.tick <= absl::ZeroDuration()) return;
  ticker_ = std::thread([this] { RunTicks(); });
  pthread_setname_np(ticker_.native_handle(), "gate");
}

Gate::~Gate() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (ticker_.joinable()) ticker_.join();
}

limits::Key Gate::KeyOf(const std::optional<limits::Network>& network) const {
  return network ? keys_.OfNetwork(*network) : limits::Key();
}

limits::Key Gate::KeyOf(const auth::Caller& caller) const {
  const auth::Identity* const identity = caller.identity();
  if (identity == nullptr || IsPeer(*identity)) return {};
  return keys_.OfSubject(auth::RoleName(identity->role), identity->subject);
}

absl::Status Gate::EnterUnary(const limits::Key& network, limits::Party* party) {
  absl::Duration wait;
  {
    absl::MutexLock lock(&mutex_);
    if (draining_) return Draining();
    if (unary_in_flight_ >= options_.max_unary_in_flight) return TooManyCalls();
    if (!call_shares_.Enter(network, PartOf(options_.max_unary_in_flight, options_.network_share))) {
      ++limited_;
      return TooManyOfOne();
    }
    // Last, because a call that is refused for another reason must not use up a rate.
    wait = rates_.TakeOfNetwork(network, Wall());
    if (wait == absl::ZeroDuration()) {
      ++unary_in_flight_;
      *party = {.network = network};
      return absl::OkStatus();
    }
    call_shares_.Leave(network);
    ++limited_;
  }
  return TooOften(wait);
}

absl::Status Gate::EnterUnary() {
  limits::Party nobody;
  return EnterUnary({}, &nobody);
}

absl::Status Gate::ChargeUnary(const auth::Caller& caller, limits::Class what, limits::Party* party) {
  if (caller.unchecked()) return absl::OkStatus();
  const bool staff = caller.identity() != nullptr && IsStaff(*caller.identity());
  const std::size_t most =
      PartOf(options_.max_unary_in_flight, staff ? options_.network_share : options_.subject_share);
  absl::MutexLock lock(&mutex_);
  return Charge(caller, what, most, &call_shares_, party);
}

absl::Status Gate::Charge(const auth::Caller& caller, limits::Class what, std::size_t most, limits::FairShare* shares,
                          limits::Party* party) {
  const limits::Key subject = KeyOf(caller);
  if (!shares->Enter(subject, most)) {
    rates_.GiveBackToNetwork(party->network);
    ++limited_;
    return TooManyOfOne();
  }
  const auth::Identity* const identity = caller.identity();
  if (identity != nullptr && !subject) return absl::OkStatus();
  absl::Duration wait;
  if (identity == nullptr || !IsStaff(*identity)) wait = rates_.Take(subject ? subject : party->network, what, Wall());
  if (wait > absl::ZeroDuration()) {
    shares->Leave(subject);
    rates_.GiveBackToNetwork(party->network);
    ++limited_;
    return TooOften(wait);
  }
  party->subject = subject;
  return absl::OkStatus();
}

void Gate::LeaveUnary(const limits::Party& party) {
  absl::MutexLock lock(&mutex_);
  Leave(party);
  if (unary_in_flight_ == 0) changed_.SignalAll();
}

void Gate::Leave(const limits::Party& party) {
  --unary_in_flight_;
  call_shares_.Leave(party);
}

void Gate::Answer(UnreadAnswer* answer, grpc_call* call, std::size_t bytes, const limits::Party* entered) {
  const absl::Time now = Wall();
  std::vector<grpc_call*> over;
  {
    absl::MutexLock lock(&mutex_);
    if (entered != nullptr) Leave(*entered);
    ++answers_;
    answer->call_ = call;
    answer->bytes_ = bytes;
    answer->since_ = now;
    answer->older_ = newest_;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = answer;
    newest_ = answer;
    ++unread_;
    unread_bytes_ += bytes;
    if (unread_ <= options_.max_unread_answers && unread_bytes_ <= options_.max_unread_bytes) return;
    over = TakeOldest([&](const UnreadAnswer& oldest) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return &oldest != answer && (unread_ > options_.max_unread_answers || unread_bytes_ > options_.max_unread_bytes);
    });
  }
  CutOff(over);
}

void Gate::AnswerTaken(UnreadAnswer* answer) {
  absl::MutexLock lock(&mutex_);
  if (--answers_ == 0) changed_.SignalAll();
  if (!answer->cut()) Unlink(answer);
}

void Gate::Unlink(UnreadAnswer* answer) {
  (answer->older_ != nullptr ? answer->older_->newer_ : oldest_) = answer->newer_;
  (answer->newer_ != nullptr ? answer->newer_->older_ : newest_) = answer->older_;
  --unread_;
  unread_bytes_ -= answer->bytes_;
}

std::vector<grpc_call*> Gate::TakeOldest(absl::FunctionRef<bool(const UnreadAnswer& oldest)> while_so) {
  std::vector<grpc_call*> calls;
  while (oldest_ != nullptr && while_so(*oldest_)) {
    grpc_call_ref(oldest_->call_);
    calls.push_back(oldest_->call_);
    oldest_->cut_.store(true, std::memory_order_relaxed);
    Unlink(oldest_);
  }
  return calls;
}

void Gate::CutOffUnread(absl::Time wall) {
  std::vector<grpc_call*> late;
  {
    absl::MutexLock lock(&mutex_);
    late = TakeOldest([&](const UnreadAnswer& oldest) { return wall - oldest.since_ >= options_.unread; });
  }
  CutOff(late);
}

absl::StatusOr<std::uint64_t> Gate::EnterStream(std::weak_ptr<LiveStream> stream, const limits::Key& network) {
  absl::MutexLock lock(&mutex_);
  if (draining_) return Draining();
  if (streams_.size() >= options_.max_streams) return Overloaded("too many streams are open", absl::Seconds(5));
  if (!stream_shares_.Enter(network, PartOf(options_.max_streams, options_.network_share))) {
    ++limited_;
    return TooManyOfOne();
  }
  if (const absl::Duration wait = rates_.TakeOfNetwork(network, Wall()); wait > absl::ZeroDuration()) {
    stream_shares_.Leave(network);
    ++limited_;
    return TooOften(wait);
  }
  streams_.emplace(++last_number_, Open{std::move(stream), {.network = network}});
  if (options_.tick > absl::ZeroDuration()) due_.emplace(Wall() + options_.tick, last_number_);
  return last_number_;
}

absl::Status Gate::ChargeStream(std::uint64_t number, const auth::Caller& caller, limits::Class what) {
  if (caller.unchecked()) return absl::OkStatus();
  const bool staff = caller.identity() != nullptr && IsStaff(*caller.identity());
  const std::size_t most =
      staff ? PartOf(options_.max_streams, options_.network_share) : options_.max_streams_of_subject;
  absl::MutexLock lock(&mutex_);
  return Charge(caller, what, most, &stream_shares_, &streams_.at(number).party);
}

void Gate::LeaveStream(std::uint64_t number) {
  absl::MutexLock lock(&mutex_);
  const auto open = streams_.find(number);
  stream_shares_.Leave(open->second.party);
  streams_.erase(open);
  if (streams_.empty()) changed_.SignalAll();
}

std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>> Gate::Live() const {
  std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>> live;
  absl::MutexLock lock(&mutex_);
  live.reserve(streams_.size());
  for (const auto& [number, open] : streams_) {
    if (std::shared_ptr<LiveStream> alive = open.stream.lock()) live.emplace_back(number, std::move(alive));
  }
  return live;
}

void Gate::Drain(absl::Duration spread) {
  {
    absl::MutexLock lock(&mutex_);
    if (draining_) return;
    draining_ = true;
  }
  // No new streams enter, so these are all.
  for (const auto& [number, stream] : Live()) stream->Drain(Share(spread, number));
}

absl::Duration Gate::Share(absl::Duration length, std::uint64_t number) {
  // A multiplicative hash of the stream's number (Knuth's, 2^32 / golden ratio).
  return length * (static_cast<std::uint32_t>(number * 2654435769U) / 4294967296.0);
}

void Gate::CancelStreams() {
  for (const auto& [number, stream] : Live()) stream->Cancel();
  CutOffUnread(absl::InfiniteFuture());
}

bool Gate::WaitIdle(absl::Duration at_most) {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return unary_in_flight_ == 0 && answers_ == 0 && streams_.empty();
  };
  return changed_.Await(&mutex_, at_most, idle);
}

bool Gate::draining() const {
  absl::MutexLock lock(&mutex_);
  return draining_;
}

std::size_t Gate::unary_in_flight() const {
  absl::MutexLock lock(&mutex_);
  return unary_in_flight_;
}

std::size_t Gate::streams() const {
  absl::MutexLock lock(&mutex_);
  return streams_.size();
}

std::uint64_t Gate::limited() const {
  absl::MutexLock lock(&mutex_);
  return limited_;
}

std::size_t Gate::rate_buckets() const {
  absl::MutexLock lock(&mutex_);
  return rates_.buckets();
}

void Gate::Tick() {
  const absl::Time wall = Wall();
  for (const auto& [number, stream] : Live()) stream->Tick(wall);
  CutOffUnread(wall);
}

void Gate::RunTicks() {
  const auto stopping = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; };
  std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>> step;
  std::vector<absl::Time> next;
  absl::Time answers_at = Wall() + options_.tick;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      absl::Duration wait = answers_at - Wall();
      if (!due_.empty()) wait = std::min(wait, due_.begin()->first - Wall());
      if (changed_.Await(&mutex_, std::max(wait, kStep), stopping)) return;
    }
    const absl::Time wall = Wall();
    if (wall >= answers_at) {
      answers_at = wall + options_.tick;
      CutOffUnread(wall);
    }
    TakeDue(wall, &step);
    next.clear();
    for (const auto& [number, stream] : step) {
      next.push_back(std::clamp(stream->Tick(wall), wall + options_.tick, wall + kLongest * options_.tick));
    }
    {
      absl::MutexLock lock(&mutex_);
      for (std::size_t i = 0; i < step.size(); ++i) due_.emplace(next[i], step[i].first);
    }
    // Without the lock: this may drop the last reference to a stream.
    step.clear();
  }
}

void Gate::TakeDue(absl::Time wall, std::vector<std::pair<std::uint64_t, std::shared_ptr<LiveStream>>>* step) {
  absl::MutexLock lock(&mutex_);
  const std::size_t most = std::max(kTogether, due_.size() / kShareOfAll);
  while (step->size() < most && !due_.empty() && due_.begin()->first <= wall) {
    const std::uint64_t number = due_.begin()->second;
    due_.erase(due_.begin());
    const auto known = streams_.find(number);
    if (known == streams_.end()) continue;
    if (std::shared_ptr<LiveStream> stream = known->second.stream.lock()) step->emplace_back(number, std::move(stream));
  }
}

}  // namespace hail::rpc
