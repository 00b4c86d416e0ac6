// What of a ride each side reads, by the option `visible_to` of the contract's fields (hail/type/v1/visibility.proto).
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// What one kind of message loses before one viewer reads it: fields that are for others, and what this version does not
// know and nobody can judge. Made once from the kind's descriptor; cheap to apply.
// Thread-safe.
class Cut {
 public:
  // `type` holds no message of its own kind, at any depth.
  Cut(const google::protobuf::Descriptor* type, Viewer viewer);

  void Apply(google::protobuf::Message* message) const;

 private:
  std::vector<const google::protobuf::FieldDescriptor*> hidden_;
  // The fields of messages that are shown, as far as their own fields are.
  std::vector<std::pair<const google::protobuf::FieldDescriptor*, Cut>> parts_;
};

// Cuts a Ride or a RideEvent to what `viewer` may read.
template <typename Message>
void CutFor(Viewer viewer, Message* message) {
  static const std::vector<Cut>& cuts = *new std::vector<Cut>{{Message::descriptor(), Viewer::kNobody},
                                                              {Message::descriptor(), Viewer::kRider},
                                                              {Message::descriptor(), Viewer::kDriver},
                                                              {Message::descriptor(), Viewer::kOperator}};
  cuts.at(static_cast<std::size_t>(viewer)).Apply(message);
}

}  // namespace hail::rider
