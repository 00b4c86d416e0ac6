#include "common/service/service_tls.h"

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/errors/status_macros.h"
#include "common/logging/log.h"
#include "common/time/clock.h"

namespace hail {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kRefusalsEvery = absl::Seconds(1);

// Logs the names of peers that are refused. It refers to nothing that ends with the service.
rpc::TlsIdentity::OnRefused LogRefusals() {
  struct Latest {
    absl::Mutex mutex;
    absl::Time logged ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
  };
  return [latest = std::make_shared<Latest>()](const tls::PeerNames& peer) {
    const absl::Time now = WallNow();
    {
      absl::MutexLock lock(&latest->mutex);
      if (now - latest->logged < kRefusalsEvery) return;
      latest->logged = now;
    }
    Log(LogLevel::kWarn, "tls_peer_refused",
        {{"uris", absl::StrJoin(peer.uris, ", ")}, {"hosts", absl::StrJoin(peer.dns, ", ")}});
  };
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServiceTls>> ServiceTls::Start(const config::TlsSettings& settings, auth::Role peer,
                                                              audit::AuditLog* audit, metrics::Registry* registry) {
  HAIL_ASSIGN_OR_RETURN(tls::IdentityPem pem, tls::ReadIdentity(settings.files));
  HAIL_ASSIGN_OR_RETURN(const tls::IdentityInfo info, tls::CheckIdentity(pem, settings.files, WallNow()));
  HAIL_ASSIGN_OR_RETURN(tls::PrivateIdentity copy, tls::PrivateIdentity::Make());
  HAIL_RETURN_IF_ERROR(copy.Publish(pem));
  auto made =
      std::unique_ptr<ServiceTls>(new ServiceTls(settings, peer, std::move(copy), std::move(pem), audit, registry));
  made->Use("tls_loaded", info);
  made->watch_.Every(kLookEvery, [tls = made.get()] { tls->Look(); });
  return made;
}

ServiceTls::ServiceTls(const config::TlsSettings& settings, auth::Role peer, tls::PrivateIdentity copy,
                       tls::IdentityPem pem, audit::AuditLog* audit, metrics::Registry* registry)
    : settings_(settings),
      audit_(audit),
      copy_(std::move(copy)),
      reload_(settings.files, std::move(pem)),
      identity_(copy_.files(), LogRefusals()),
      callers_({.services = settings.peers, .service_role = peer, .operators = settings.operators}),
      expires_(
          registry->Gauges("tls_certificate_expires_seconds", "When the certificate in use ends, in epoch seconds.")
              .Of()),
      bad_(registry->Gauges("tls_files_bad", "1 while the TLS files on disk cannot be used.").Of()),
      loaded_(registry->Counters("tls_reloads_total", "New TLS files, by result.").Of({{"result", "ok"}})),
      failed_(registry->Counters("tls_reloads_total", "New TLS files, by result.").Of({{"result", "failed"}})) {}

ServiceTls::~ServiceTls() { watch_.Stop(); }

std::shared_ptr<grpc::ServerCredentials> ServiceTls::Public() const {
  return settings_.edges.empty() ? nullptr : identity_.Server(settings_.edges);
}

std::shared_ptr<grpc::ServerCredentials> ServiceTls::Internal() const {
  return identity_.Server(tls::Joined(settings_.peers, settings_.operators));
}

std::shared_ptr<grpc::ChannelCredentials> ServiceTls::Peer() const { return identity_.Channel(settings_.peers); }

void ServiceTls::Look() {
  const tls::ReloadStep step = reload_.Look(tls::ReadIdentity(settings_.files), WallNow());
  bad_.Set(step.bad ? 1 : 0);
  if (!step.complain.empty()) Refuse(step.complain);
  if (!step.publish) return;
  const absl::Status published = copy_.Publish(*step.publish);
  if (!published.ok()) {
    // The next look tries again.
    bad_.Set(1);
    if (reload_.NotPublished(std::string(published.message()), WallNow())) Refuse(published.ToString());
    return;
  }
  reload_.Published();
  loaded_.Add();
  Use("tls_reloaded", step.info);
}

void ServiceTls::Refuse(const std::string& problems) {
  failed_.Add();
  Log(LogLevel::kError, "tls_not_reloaded", {{"problems", problems}});
  audit_->Record({.wall = WallNow(), .event = "certificate_not_loaded", .details = {{"problems", problems}}});
}

void ServiceTls::Use(const char* event, const tls::IdentityInfo& info) {
  expires_.Set(static_cast<double>(absl::ToUnixSeconds(info.not_after)));
  const std::string names = absl::StrJoin(info.names, ", ");
  const std::string expires = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", info.not_after, absl::UTCTimeZone());
  Log(LogLevel::kInfo, event, {{"serial", info.serial}, {"names", names}, {"expires", expires}});
  audit_->Record({.wall = WallNow(),
                  .event = "certificate_loaded",
                  .details = {{"serial", info.serial}, {"names", names}, {"expires", expires}}});
}

}  // namespace hail
