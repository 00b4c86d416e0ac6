#include "common/bus/request_reply.h"

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace hail {
namespace {

std::string TopicOf(std::string_view kind, std::string_view name) {
  return absl::StrCat(std::string(kind), ".", TopicWord(name));
}

// "NUMBER\n" before a reply, "NUMBER NAME\n" before a request; NAME is a word of a topic.
BusPayload WithHead(const std::string& head, std::string_view body) {
  return std::make_shared<const std::string>(absl::StrCat(head, "\n", std::string(body)));
}

// Removes the head from `payload`. False if there is none: the message is not ours.
bool TakeHead(std::string_view& payload, std::string_view& head) {
  const std::size_t end = payload.find('\n');
  if (end == std::string_view::npos) return false;
  head = payload.substr(0, end);
  payload.remove_prefix(end + 1);
  return true;
}

}  // namespace

RequestServer::RequestServer(Bus* bus, std::string_view name, std::function<void(std::string_view, Reply)> on_request)
    : subscription_(
          bus->Subscribe(TopicOf("ask", name), [bus, on_request = std::move(on_request)](const BusPayload& payload) {
            std::string_view request = *payload;
            std::string_view head;
            if (!TakeHead(request, head)) return;
            const std::size_t space = head.find(' ');
            if (space == std::string_view::npos) return;
            const std::string number(head.substr(0, space));
            const std::string_view asker = head.substr(space + 1);
            // A malformed name could otherwise choose the subject of a message to the bus's server.
            if (!IsTopicWord(asker)) return;
            const std::string topic = absl::StrCat("reply.", std::string(asker));
            on_request(request, [bus, number, topic](std::string_view answer) {
              bus->Publish(topic, WithHead(number, answer));
            });
          })) {}

struct RequestClient::Waiting {
  absl::Mutex mutex;
  std::uint64_t last ABSL_GUARDED_BY(mutex) = 0;
  std::unordered_map<std::uint64_t, Done> dones ABSL_GUARDED_BY(mutex);

  void Finish(std::uint64_t number, absl::StatusOr<std::string> answer) {
    Done done;
    {
      absl::MutexLock lock(&mutex);
      const auto found = dones.find(number);
      if (found == dones.end()) return;
      done = std::move(found->second);
      dones.erase(found);
    }
    done(std::move(answer));
  }
};

RequestClient::RequestClient(Bus* bus, Executor* executor, std::string_view name)
    : bus_(bus),
      executor_(executor),
      name_(TopicWord(name)),
      waiting_(std::make_shared<Waiting>()),
      subscription_(bus->Subscribe(TopicOf("reply", name), [waiting = waiting_](const BusPayload& payload) {
        std::string_view answer = *payload;
        std::string_view head;
        std::uint64_t number;
        if (!TakeHead(answer, head) || !absl::SimpleAtoi(absl::string_view(head.data(), head.size()), &number)) return;
        waiting->Finish(number, std::string(answer));
      })) {}

RequestClient::~RequestClient() {
  absl::MutexLock lock(&waiting_->mutex);
  waiting_->dones.clear();
}

void RequestClient::Ask(std::string_view whom, std::string_view request, absl::Duration time_out, Done done) {
  const std::string topic = TopicOf("ask", whom);
  if (!bus_->HasSubscribers(topic)) return done(absl::UnavailableError("no replica of that name is on the bus"));
  std::uint64_t number;
  {
    absl::MutexLock lock(&waiting_->mutex);
    number = ++waiting_->last;
    waiting_->dones.emplace(number, std::move(done));
  }
  executor_->PostAfter(time_out, [late = std::weak_ptr<Waiting>(waiting_), number] {
    if (const auto waiting = late.lock()) waiting->Finish(number, absl::UnavailableError("no answer in time"));
  });
  bus_->Publish(topic, WithHead(absl::StrCat(number, " ", name_), request));
}

}  // namespace hail
