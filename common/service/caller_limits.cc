#include "common/service/caller_limits.h"

namespace hail {

rpc::GateOptions LimitedBy(const config::LimitSettings& settings, rpc::CallRecorder* recorder,
                           rpc::GateOptions options) {
  options.rates = settings.rates;
  options.subject_share = settings.subject_share;
  options.network_share = settings.network_share;
  options.max_streams_of_subject = settings.streams_of_subject;
  options.recorder = recorder;
  return options;
}

}  // namespace hail
