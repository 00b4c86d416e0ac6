#include "common/tls/identity_reload.h"

#include <utility>

namespace hail::tls {

IdentityReload::IdentityReload(IdentityFiles files, IdentityPem published)
    : files_(std::move(files)), published_(std::move(published)) {}

ReloadStep IdentityReload::Look(const absl::StatusOr<IdentityPem>& found, absl::Time now) {
  ReloadStep step;
  offered_.reset();
  absl::Status status = found.status();
  if (found.ok()) {
    // The set in use is never checked again: an expired certificate is no reason to stop, and has a metric of its own.
    if (*found != published_) {
      const absl::StatusOr<IdentityInfo> info = CheckIdentity(*found, files_, now);
      status = info.status();
      if (info.ok()) {
        offered_ = *found;
        step.publish = offered_;
        step.info = *info;
      }
    }
  }
  std::string fault = status.ok() ? "" : std::string(status.message());
  const bool twice = !fault.empty() && !fault_.empty();
  fault_ = std::move(fault);
  if (fault_.empty() && !step.publish) complained_.clear();
  if (!twice) return step;
  step.bad = true;
  if (IsNews(fault_, now)) step.complain = fault_;
  return step;
}

bool IdentityReload::IsNews(const std::string& fault, absl::Time now) {
  if (fault == complained_ && now - complained_at_ < kRepeatFault) return false;
  complained_ = fault;
  complained_at_ = now;
  return true;
}

bool IdentityReload::NotPublished(const std::string& fault, absl::Time now) { return IsNews(fault, now); }

void IdentityReload::Published() {
  if (offered_) published_ = *std::move(offered_);
  offered_.reset();
  complained_.clear();
}

}  // namespace hail::tls
