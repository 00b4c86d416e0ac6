#include "common/rpc/erasure_log.h"

#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/text/text.h"

namespace hail::rpc {

absl::Status CheckErasureNote(const std::string& note) {
  if (note.empty()) return InvalidField("note", "required: the operator and the reason");
  return CheckNote(note, "note");
}

void LogErasure(const CallContext& call, const char* person, const std::string& note, const absl::Status& status,
                const ErasedCounts& counts) {
  Log(LogLevel::kInfo, status.ok() ? "person_erased" : "person_erasure_refused",
      {{"person", person},
       {"note", note},
       {"peer", call.peer},
       {"caller_request_id", call.request_id},
       {"rides", counts.rides},
       {"offers", counts.offers},
       {"status", status}});
}

}  // namespace hail::rpc
