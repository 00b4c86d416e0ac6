#include "rider-service/codec/visibility.h"

#include <utility>

#include "hail/type/v1/visibility.pb.h"

namespace hail::rider {
namespace {

namespace pb = hail::type::v1;

using google::protobuf::FieldDescriptor;

bool Reads(Viewer viewer, const FieldDescriptor* field) {
  const pb::Audience audience = field->options().GetExtension(pb::visible_to);
  switch (viewer) {
    case Viewer::kNobody:
      return false;
    case Viewer::kRider:
      return audience == pb::AUDIENCE_RIDER || audience == pb::AUDIENCE_BOTH;
    case Viewer::kDriver:
      return audience == pb::AUDIENCE_DRIVER || audience == pb::AUDIENCE_BOTH;
    case Viewer::kOperator:
      return audience != pb::AUDIENCE_UNSPECIFIED;
  }
  return false;
}

// Whether the field holds messages whose own fields have viewers.
bool HasParts(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map() &&
         field->message_type()->file()->package() != "google.protobuf";
}

}  // namespace

Cut::Cut(const google::protobuf::Descriptor* type, Viewer viewer) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (!Reads(viewer, field)) {
      hidden_.push_back(field);
    } else if (HasParts(field)) {
      parts_.emplace_back(field, Cut(field->message_type(), viewer));
    }
  }
}

void Cut::Apply(google::protobuf::Message* message) const {
  const google::protobuf::Reflection& fields = *message->GetReflection();
  for (const FieldDescriptor* field : hidden_) fields.ClearField(message, field);
  if (!fields.GetUnknownFields(*message).empty()) fields.MutableUnknownFields(message)->Clear();
  for (const auto& [field, cut] : parts_) {
    if (field->is_repeated()) {
      for (int i = 0; i < fields.FieldSize(*message, field); ++i) {
        cut.Apply(fields.MutableRepeatedMessage(message, field, i));
      }
    } else if (fields.HasField(*message, field)) {
      cut.Apply(fields.MutableMessage(message, field));
    }
  }
}

}  // namespace hail::rider
