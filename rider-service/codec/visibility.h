// Selects the fields of a ride that each side may read, by the option `visible_to` of the contract's fields
// (hail/type/v1/visibility.proto).
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "rider-service/domain/ride.h"

namespace hail::rider {

// Removes the fields of one message type that a viewer may not read: fields for other viewers, and fields unknown to
// this version, whose viewers are unknown. Built once from the type's descriptor; cheap to apply. Thread-safe.
class Cut {
 public:
  // `type` must not contain itself, at any depth.
  Cut(const google::protobuf::Descriptor* type, Viewer viewer);

  void Apply(google::protobuf::Message* message) const;

 private:
  std::vector<const google::protobuf::FieldDescriptor*> hidden_;
  // Visible fields of message type, with the cuts of their own fields.
  std::vector<std::pair<const google::protobuf::FieldDescriptor*, Cut>> parts_;
};

// Reduces a Ride or a RideEvent to the fields that `viewer` may read.
template <typename Message>
void CutFor(Viewer viewer, Message* message) {
  static const std::vector<Cut>& cuts = *new std::vector<Cut>{{Message::descriptor(), Viewer::kNobody},
                                                              {Message::descriptor(), Viewer::kRider},
                                                              {Message::descriptor(), Viewer::kDriver},
                                                              {Message::descriptor(), Viewer::kOperator}};
  cuts.at(static_cast<std::size_t>(viewer)).Apply(message);
}

}  // namespace hail::rider
