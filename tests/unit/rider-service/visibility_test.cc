#include "rider-service/codec/visibility.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hail/type/v1/visibility.pb.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/view.h"
#include "tests/unit/rider-service/shown.h"
#include "tests/unit/rider-service/test_rides.h"

namespace hail::rider {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Sets every field of `message` to something, lists and maps to one entry.
void FillIn(google::protobuf::Message& message) {
  using Field = google::protobuf::FieldDescriptor;
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const Field* field = message.GetDescriptor()->field(i);
    if (field->is_repeated()) {
      ASSERT_TRUE(field->is_map()) << field->name();
      // As bytes, for the next parsing: under the thread sanitizer protobuf's headers and its library disagree about
      // what a map looks like.
      reflection.MutableUnknownFields(&message)->AddLengthDelimited(field->number(), "\x0a\x01x\x12\x01x");
      continue;
    }
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING:
        reflection.SetString(&message, field, "x");
        break;
      case Field::CPPTYPE_INT32:
        reflection.SetInt32(&message, field, 1);
        break;
      case Field::CPPTYPE_INT64:
        reflection.SetInt64(&message, field, 1);
        break;
      case Field::CPPTYPE_DOUBLE:
        reflection.SetDouble(&message, field, 1);
        break;
      case Field::CPPTYPE_BOOL:
        reflection.SetBool(&message, field, true);
        break;
      case Field::CPPTYPE_ENUM:
        reflection.SetEnumValue(&message, field, 3);
        break;
      case Field::CPPTYPE_MESSAGE:
        FillIn(*reflection.MutableMessage(&message, field));
        break;
      default:
        FAIL() << field->name();
    }
  }
}

// The fields that `full` has and `part` has not, by their paths.
void AddHidden(const google::protobuf::Message& full, const google::protobuf::Message& part, const std::string& path,
               std::set<std::string>* hidden) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  full.GetReflection()->ListFields(full, &fields);
  for (const auto* field : fields) {
    const std::string name = path + std::string(field->name());
    const bool has = field->is_repeated() ? part.GetReflection()->FieldSize(part, field) > 0
                                          : part.GetReflection()->HasField(part, field);
    if (!has) {
      hidden->insert(name);
    } else if (!field->is_repeated() && field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) {
      AddHidden(full.GetReflection()->GetMessage(full, field), part.GetReflection()->GetMessage(part, field),
                name + ".", hidden);
    }
  }
}

// Whether the field holds messages of the contract, whose fields have options of their own.
bool HoldsFields(const FieldDescriptor* field) {
  return field->message_type() != nullptr && !field->is_map() &&
         std::string(field->message_type()->full_name()).starts_with("hail.");
}

hail::type::v1::Audience AudienceOf(const FieldDescriptor* field) {
  return field->options().GetExtension(hail::type::v1::visible_to);
}

void ExpectEachFieldNamesItsReaders(const Descriptor* type, const std::string& path) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    const std::string name = path + "." + std::string(field->name());
    EXPECT_NE(AudienceOf(field), hail::type::v1::AUDIENCE_UNSPECIFIED) << name << " does not name its readers";
    if (HoldsFields(field)) ExpectEachFieldNamesItsReaders(field->message_type(), name);
  }
}

// By default nobody reads a field. That is safe, but never the intention.
TEST(Visibility, EachFieldOfARideNamesItsReaders) {
  ExpectEachFieldNamesItsReaders(hail::type::v1::Ride::descriptor(), "Ride");
  ExpectEachFieldNamesItsReaders(hail::type::v1::RideEvent::descriptor(), "RideEvent");
}

// Adds the paths of fields that `audiences` must not read. A hidden message is added without its fields.
void AddForbidden(const Descriptor* type, const std::set<int>& audiences, const std::string& path,
                  std::set<std::string>* forbidden) {
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    const std::string name = path + std::string(field->name());
    if (audiences.count(AudienceOf(field)) == 0) {
      forbidden->insert(name);
    } else if (HoldsFields(field)) {
      AddForbidden(field->message_type(), audiences, name + ".", forbidden);
    }
  }
}

template <typename Message>
void ExpectCutByTheContract() {
  Message full;
  FillIn(full);
  ASSERT_TRUE(full.ParseFromString(full.SerializeAsString()));
  using namespace hail::type::v1;
  const std::vector<std::pair<Viewer, std::set<int>>> viewers = {
      {Viewer::kNobody, {}},
      {Viewer::kRider, {AUDIENCE_RIDER, AUDIENCE_BOTH}},
      {Viewer::kDriver, {AUDIENCE_DRIVER, AUDIENCE_BOTH}},
      {Viewer::kOperator, {AUDIENCE_RIDER, AUDIENCE_DRIVER, AUDIENCE_BOTH, AUDIENCE_OPERATORS}}};
  for (const auto& [viewer, audiences] : viewers) {
    std::set<std::string> forbidden;
    AddForbidden(Message::descriptor(), audiences, "", &forbidden);
    Message shown = full;
    CutFor(viewer, &shown);
    std::set<std::string> hidden;
    AddHidden(full, shown, "", &hidden);
    EXPECT_EQ(hidden, forbidden) << "viewer " << static_cast<int>(viewer);
  }
}

TEST(Visibility, EachViewerReadsExactlyWhatTheContractSays) {
  ExpectCutByTheContract<hail::type::v1::Ride>();
  ExpectCutByTheContract<hail::type::v1::RideEvent>();
}

// A contract with cases that Hail's contract lacks: fields for one reader in a nested message and in a list, and a
// field without the option.
TEST(Visibility, ReadersAreAskedForAtEachLevelAndNobodyIsTheDefault) {
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        name: "test.proto"
        package: "test"
        dependency: "hail/type/v1/visibility.proto"
        syntax: "proto3"
        message_type {
          name: "Inner"
          field {
            name: "both"
            number: 1
            type: TYPE_INT32
            options {
              [hail.type.v1.visible_to]: AUDIENCE_BOTH
            }
          }
          field {
            name: "driver"
            number: 2
            type: TYPE_INT32
            options {
              [hail.type.v1.visible_to]: AUDIENCE_DRIVER
            }
          }
          field {
            name: "operators"
            number: 3
            type: TYPE_INT32
            options {
              [hail.type.v1.visible_to]: AUDIENCE_OPERATORS
            }
          }
          field { name: "unsaid" number: 4 type: TYPE_INT32 }
        }
        message_type {
          name: "Outer"
          field {
            name: "one"
            number: 1
            type: TYPE_MESSAGE
            type_name: ".test.Inner"
            options {
              [hail.type.v1.visible_to]: AUDIENCE_BOTH
            }
          }
          field {
            name: "many"
            number: 2
            label: LABEL_REPEATED
            type: TYPE_MESSAGE
            type_name: ".test.Inner"
            options {
              [hail.type.v1.visible_to]: AUDIENCE_RIDER
            }
          }
          field { name: "unsaid" number: 3 type: TYPE_MESSAGE type_name: ".test.Inner" }
        })pb",
      &file));
  google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  const google::protobuf::FileDescriptor* const built = pool.BuildFile(file);
  ASSERT_NE(built, nullptr);
  const Descriptor* const outer = built->FindMessageTypeByName("Outer");
  google::protobuf::DynamicMessageFactory factory;
  const auto shown_to = [&](Viewer viewer) {
    const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(outer)->New());
    const std::string inner = "both: 1 driver: 2 operators: 3 unsaid: 4";
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "one {" + inner + "} many {" + inner + "} many {" + inner + "} unsaid {" + inner + "}", message.get()));
    Cut(outer, viewer).Apply(message.get());
    google::protobuf::TextFormat::Printer printer;
    printer.SetSingleLineMode(true);
    std::string text;
    EXPECT_TRUE(printer.PrintToString(*message, &text));
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  EXPECT_EQ(shown_to(Viewer::kNobody), "");
  EXPECT_EQ(shown_to(Viewer::kRider), "one { both: 1 } many { both: 1 } many { both: 1 }");
  EXPECT_EQ(shown_to(Viewer::kDriver), "one { both: 1 driver: 2 }");
  EXPECT_EQ(shown_to(Viewer::kOperator),
            "one { both: 1 driver: 2 operators: 3 } many { both: 1 driver: 2 operators: 3 }"
            " many { both: 1 driver: 2 operators: 3 }");
}

TEST(Views, ARideThatIsForNobodyShowsNothing) {
  const Ride ride = RideIn(RideState::kEnrouteToPickup);
  EXPECT_EQ(Shown(ride).ByteSizeLong(), 0u);
  EXPECT_NE(Shown(RideForOperator(ride)).ByteSizeLong(), 0u);
}

// Fails if a field is added to the contract for nobody, or for both sides, by an oversight.
TEST(Views, EachFieldOfARideIsForTheSideItIsMeantFor) {
  hail::type::v1::Ride full;
  FillIn(full);
  ASSERT_TRUE(full.ParseFromString(full.SerializeAsString()));
  ASSERT_EQ(full.labels_size(), 1);
  full.mutable_cancellation()->set_reason(hail::type::v1::CANCEL_REASON_SAFETY);
  // No record has it: the API adds it to an answer, for riders.
  full.clear_driver_last_seen();
  const auto hidden = [&](Ride (*view)(Ride), hail::type::v1::CancelActor actor) {
    full.mutable_cancellation()->set_actor(actor);
    std::set<std::string> fields;
    AddHidden(full, Shown(view(Ride(full))), "", &fields);
    return fields;
  };
  using Fields = std::set<std::string>;
  const Fields words = {"cancellation.note", "cancellation.reason"};
  const auto and_words = [&](Fields fields) {
    fields.insert(words.begin(), words.end());
    return fields;
  };
  const Fields from_rider = {"offer_id", "assignment_ended"};
  const Fields from_driver = {"rider_id", "request_id", "quote_id", "labels"};
  EXPECT_EQ(hidden(RideForRider, hail::type::v1::CANCEL_ACTOR_RIDER), from_rider);
  EXPECT_EQ(hidden(RideForRider, hail::type::v1::CANCEL_ACTOR_DRIVER), and_words(from_rider));
  EXPECT_EQ(hidden(RideForRider, hail::type::v1::CANCEL_ACTOR_SYSTEM), and_words(from_rider));
  EXPECT_EQ(hidden(RideForDriver, hail::type::v1::CANCEL_ACTOR_RIDER), and_words(from_driver));
  EXPECT_EQ(hidden(RideForDriver, hail::type::v1::CANCEL_ACTOR_DRIVER), from_driver);
  EXPECT_EQ(hidden(RideForDriver, hail::type::v1::CANCEL_ACTOR_SYSTEM), and_words(from_driver));
  EXPECT_EQ(hidden(RideForOperator, hail::type::v1::CANCEL_ACTOR_SYSTEM), Fields());
}

}  // namespace
}  // namespace hail::rider
