#include "common/bus/nats_bus.h"

#include <nats/nats.h>

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "common/errors/status_macros.h"
#include "common/exec/loop.h"
#include "common/logging/log.h"

namespace hail {
namespace {

// Back-off of the NATS library, in milliseconds.
constexpr int kReconnectWaitMs = 250;
constexpr int kReconnectJitterMs = 250;
// The connection counts as lost after two pings without an answer.
constexpr int kPingEveryMs = 2000;
constexpr int kPingsOut = 2;
constexpr int kConnectWithinMs = 2000;
// Limit of one write to a server that does not read.
constexpr int kWriteWithinMs = 2000;
// Limit in bytes of the messages buffered while disconnected. Late hints are of little use.
constexpr int kKeepUnsent = 64 * 1024;

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

class Nats final : public NatsBus {
 public:
  explicit Nats(const NatsOptions& options)
      : prefix_(absl::StrCat(options.prefix, ".")), max_queue_(options.max_queue), local_(MakeLocalBus()) {}

  ~Nats() override {
    closing_ = true;
    sender_.Stop();
    if (subscription_ != nullptr) {
      natsSubscription_Unsubscribe(subscription_.get());
      // The callback may run until then.
      unsubscribed_.WaitForNotification();
      subscription_.reset();
    }
    if (connection_ != nullptr) {
      natsConnection_Close(connection_.get());
      closed_.WaitForNotification();
    }
  }

  absl::Status Start(const NatsOptions& options) {
    natsOptions* made = nullptr;
    if (natsOptions_Create(&made) != NATS_OK) return absl::ResourceExhaustedError("out of memory");
    const Owned<natsOptions> settings(made, natsOptions_Destroy);
    const std::vector<std::string> urls = absl::StrSplit(options.url, ',');
    std::vector<const char*> servers;
    for (const std::string& url : urls) servers.push_back(url.c_str());
    for (const natsStatus status :
         {natsOptions_SetServers(made, servers.data(), static_cast<int>(servers.size())),
          natsOptions_SetName(made, options.name.c_str()), natsOptions_SetNoEcho(made, true),
          natsOptions_SetTimeout(made, kConnectWithinMs), natsOptions_SetMaxReconnect(made, -1),
          natsOptions_SetReconnectWait(made, kReconnectWaitMs),
          natsOptions_SetReconnectJitter(made, kReconnectJitterMs, kReconnectJitterMs),
          natsOptions_SetReconnectBufSize(made, kKeepUnsent), natsOptions_SetPingInterval(made, kPingEveryMs),
          natsOptions_SetMaxPingsOut(made, kPingsOut), natsOptions_SetWriteDeadline(made, kWriteWithinMs),
          natsOptions_SetRetryOnFailedConnect(made, true, OnUp, this), natsOptions_SetReconnectedCB(made, OnUp, this),
          natsOptions_SetDisconnectedCB(made, OnDown, this), natsOptions_SetClosedCB(made, OnClosed, this),
          natsOptions_SetErrorHandler(made, OnError, this)}) {
      if (status != NATS_OK) return absl::InvalidArgumentError(absl::StrCat("NATS: ", natsStatus_GetText(status)));
    }
    absl::Status secured = Secure(options.files, made);
    if (!secured.ok()) return secured;
    natsConnection* connection = nullptr;
    const natsStatus status = natsConnection_Connect(&connection, made);
    connection_.reset(connection);
    if (status != NATS_OK && status != NATS_NOT_YET_CONNECTED) {
      closed_.Notify();
      return absl::InvalidArgumentError(absl::StrCat("NATS: ", natsStatus_GetText(status)));
    }
    if (status == NATS_OK) OnUp(connection, this);
    natsSubscription* subscription = nullptr;
    natsStatus subscribed =
        natsConnection_Subscribe(&subscription, connection, absl::StrCat(prefix_, ">").c_str(), OnMessage, this);
    Owned<natsSubscription> owned(subscription, natsSubscription_Destroy);
    // Not of a subscription that ended at once, as the library closes the connection when the server refuses the name.
    if (subscribed == NATS_OK) {
      subscribed = natsSubscription_SetOnCompleteCB(
          subscription, [](void* self) { static_cast<Nats*>(self)->unsubscribed_.Notify(); }, this);
    }
    if (subscribed != NATS_OK) return absl::InternalError(absl::StrCat("NATS: ", natsStatus_GetText(subscribed)));
    subscription_ = std::move(owned);
    natsSubscription_SetPendingLimits(subscription, static_cast<int>(max_queue_), -1);
    return absl::OkStatus();
  }

  void Publish(std::string_view topic, BusPayload payload) override {
    local_->Publish(topic, payload);
    if (sender_.depth() >= max_queue_ || !connected_) {
      ++unsent_;
      return;
    }
    // On the sender's own thread: a server that does not read would block the publisher.
    sender_.Post([this, subject = absl::StrCat(prefix_, std::string(topic)), payload = std::move(payload)] {
      const natsStatus status = natsConnection_Publish(connection_.get(), subject.c_str(), payload->data(),
                                                       static_cast<int>(payload->size()));
      if (status != NATS_OK) ++unsent_;
    });
  }

  std::unique_ptr<Subscription> Subscribe(std::string topic,
                                          std::function<void(const BusPayload&)> on_message) override {
    return local_->Subscribe(std::move(topic), std::move(on_message));
  }

  NatsStats stats() const override {
    std::int64_t dropped = 0;
    natsSubscription_GetDropped(subscription_.get(), &dropped);
    return {.connected = connected_, .lost = unsent_ + static_cast<std::uint64_t>(dropped)};
  }

 private:
  static absl::Status Secure(const NatsFiles& files, natsOptions* made) {
    const auto must = [](natsStatus status, const std::string& file) {
      if (status == NATS_OK) return absl::OkStatus();
      const char* const detail = nats_GetLastError(nullptr);
      return absl::InvalidArgumentError(
          absl::StrCat("NATS: ", file, ": ", detail != nullptr ? detail : natsStatus_GetText(status)));
    };
    if (files.tls()) {
      HAIL_RETURN_IF_ERROR(must(natsOptions_SetSecure(made, true), "TLS"));
    }
    if (!files.ca.empty()) {
      HAIL_RETURN_IF_ERROR(must(natsOptions_LoadCATrustedCertificates(made, files.ca.c_str()), files.ca));
    }
    if (!files.certificate.empty()) {
      HAIL_RETURN_IF_ERROR(must(natsOptions_LoadCertificatesChain(made, files.certificate.c_str(), files.key.c_str()),
                                files.certificate));
    }
    if (files.credentials.empty()) return absl::OkStatus();
    return must(natsOptions_SetUserCredentialsFromFiles(made, files.credentials.c_str(), nullptr), files.credentials);
  }
  static void OnMessage(natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
    auto* const self = static_cast<Nats*>(closure);
    const Owned<natsMsg> owned(message, natsMsg_Destroy);
    const std::string_view topic = std::string_view(natsMsg_GetSubject(message)).substr(self->prefix_.size());
    if (!self->local_->HasSubscribers(topic)) return;
    self->local_->Publish(
        topic, std::make_shared<const std::string>(natsMsg_GetData(message),
                                                   static_cast<std::size_t>(natsMsg_GetDataLength(message))));
  }
  static void OnUp(natsConnection*, void* closure) {
    static_cast<Nats*>(closure)->connected_ = true;
    Log(LogLevel::kInfo, "bus_connected");
  }
  static void OnDown(natsConnection*, void* closure) {
    auto* const self = static_cast<Nats*>(closure);
    self->connected_ = false;
    if (!self->closing_) Log(LogLevel::kWarn, "bus_disconnected");
  }
  static void OnClosed(natsConnection*, void* closure) { static_cast<Nats*>(closure)->closed_.Notify(); }
  // The library counts messages that slow subscriptions lose. The other callbacks handle all other errors.
  static void OnError(natsConnection*, natsSubscription*, natsStatus, void*) {}

  const std::string prefix_;
  const std::size_t max_queue_;
  const std::unique_ptr<Bus> local_;
  std::atomic<bool> connected_{false};
  std::atomic<bool> closing_{false};
  std::atomic<std::uint64_t> unsent_{0};
  absl::Notification unsubscribed_;
  absl::Notification closed_;
  Owned<natsConnection> connection_{nullptr, natsConnection_Destroy};
  Owned<natsSubscription> subscription_{nullptr, natsSubscription_Destroy};
  // Last member: its thread uses all members above.
  Loop sender_{"bus"};
};

}  // namespace

bool IsNatsUrl(std::string_view url) { return url.rfind("nats://", 0) == 0 || url.rfind("tls://", 0) == 0; }

absl::StatusOr<std::unique_ptr<NatsBus>> MakeNatsBus(const NatsOptions& options) {
  auto bus = std::make_unique<Nats>(options);
  absl::Status started = bus->Start(options);
  if (!started.ok()) return started;
  return bus;
}

}  // namespace hail
