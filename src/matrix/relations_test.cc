#include "matrix/relations.h"

#include <gtest/gtest.h>

#include "matrix/redaction.h"
#include "matrix/testing/event.h"

namespace myelin {
namespace {

using testing::make_event;

EventPtr message(std::string_view content, std::string_view more = "") {
  return make_event(R"({"content":)" + std::string(content) + std::string(more) + "}");
}
std::string relates(std::string_view type, std::string_view parent, std::string_view more = "") {
  return R"({"body":"b",)" + std::string(more) + R"("m.relates_to":{"rel_type":")" + std::string(type) +
         R"(","event_id":")" + std::string(parent) + "\"}}";
}
constexpr std::string_view kNewContent = R"("m.new_content":{"body":"new"},)";

TEST(Relations, AreReadFromTheContent) {
  EXPECT_EQ(relation_of(*message(relates("m.thread", "$root"))), (Relation{EventId::trusted("$root"), "m.thread"}));
  EXPECT_EQ(relation_of(*message(relates("org.example.any", "$x"))),
            (Relation{EventId::trusted("$x"), "org.example.any"}));
  auto reply = message(R"({"m.relates_to":{"m.in_reply_to":{"event_id":"$said"}}})");
  EXPECT_FALSE(relation_of(*reply)) << "a reply is no relation";
  auto in_thread =
      message(R"({"m.relates_to":{"rel_type":"m.thread","event_id":"$r","m.in_reply_to":{"event_id":"$s"}}})");
  EXPECT_EQ(relation_of(*in_thread)->parent.str(), "$r");
}

TEST(Relations, MalformedOnesAreIgnored) {
  for (auto content :
       {R"({})", R"({"m.relates_to":5})", R"({"m.relates_to":[]})", R"({"m.relates_to":{}})",
        R"({"m.relates_to":{"rel_type":"m.thread"}})", R"({"m.relates_to":{"event_id":"$x"}})",
        R"({"m.relates_to":{"rel_type":5,"event_id":"$x"}})", R"({"m.relates_to":{"rel_type":"","event_id":"$x"}})",
        R"({"m.relates_to":{"rel_type":"m.thread","event_id":"x"}})",
        R"({"m.relates_to":{"rel_type":"m.thread","event_id":null}})",
        R"({"m.relates_to":{"m.in_reply_to":{"event_id":7}}})", R"({"m.relates_to":{"m.in_reply_to":"$x"}})"}) {
    EXPECT_FALSE(relation_of(*message(content))) << content;
  }
  EXPECT_FALSE(relation_of(*message(relates(std::string(256, 'x'), "$x"))));
  EXPECT_TRUE(relation_of(*message(relates(std::string(255, 'x'), "$x"))));
}

// Redacting a child takes its relation from it, in every version.
TEST(Relations, ARedactedChildHasNone) {
  for (auto& rules : all_room_versions()) {
    auto child = make_event(R"({"content":)" + relates("m.thread", "$root") + "}", rules.version);
    ASSERT_TRUE(relation_of(*child));
    auto redacted = Event::restore(json::serialize(redact(child->object(), rules)), child->event_id(), rules);
    EXPECT_FALSE(relation_of(**redacted)) << rules.version;
  }
}

TEST(Replacements, AreValidByTheSpecificationsRules) {
  auto original = message(R"({"body":"old"})");
  auto id = original->event_id().str();
  auto edit = [&](std::string_view more) { return message(relates("m.replace", id, kNewContent), more); };
  EXPECT_TRUE(is_valid_replacement(*original, *edit("")));
  EXPECT_FALSE(is_valid_replacement(*original, *edit(R"(,"room_id":"!other:x")")));
  EXPECT_FALSE(is_valid_replacement(*original, *edit(R"(,"sender":"@eve:x")")));
  EXPECT_FALSE(is_valid_replacement(*original, *edit(R"(,"type":"m.sticker")")));
  EXPECT_FALSE(is_valid_replacement(*original, *edit(R"(,"state_key":"")")));
  EXPECT_FALSE(is_valid_replacement(*original, *message(relates("m.replace", id)))) << "no m.new_content";
  EXPECT_FALSE(is_valid_replacement(*original, *message(relates("m.replace", id, R"("m.new_content":"x",)"))));
  EXPECT_FALSE(is_valid_replacement(*original, *message(relates("m.reference", id, kNewContent))));
  EXPECT_FALSE(is_valid_replacement(*original, *message(relates("m.replace", "$other", kNewContent))));

  auto state = message(R"({"body":"old"})", R"(,"state_key":"")");
  EXPECT_FALSE(is_valid_replacement(*state, *message(relates("m.replace", state->event_id().str(), kNewContent))));
  auto first = edit("");
  EXPECT_FALSE(is_valid_replacement(*first, *message(relates("m.replace", first->event_id().str(), kNewContent))))
      << "an edit of an edit";
  // An event of a thread may be edited.
  auto threaded = message(relates("m.thread", "$root"));
  EXPECT_TRUE(is_valid_replacement(*threaded, *message(relates("m.replace", threaded->event_id().str(), kNewContent))));
}

TEST(Replacements, OfEncryptedEventsHideTheirNewContent) {
  auto encrypted = R"(,"type":"m.room.encrypted")";
  auto original = message(R"({"ciphertext":"x"})", encrypted);
  EXPECT_TRUE(is_valid_replacement(*original, *message(relates("m.replace", original->event_id().str()), encrypted)));
}

TEST(Replacements, AnEditThatCannotBeValidIsNoRelation) {
  EXPECT_FALSE(relation_of(*message(relates("m.replace", "$x"))));
  EXPECT_FALSE(relation_of(*message(relates("m.replace", "$x", kNewContent), R"(,"state_key":"")")));
  EXPECT_TRUE(relation_of(*message(relates("m.replace", "$x", kNewContent))));
}

TEST(Threads, StartFromEventsWithoutARelation) {
  Relation thread{EventId::trusted("$x"), "m.thread"}, annotation{EventId::trusted("$x"), "m.annotation"};
  EXPECT_TRUE(check_new_relation(thread, message(R"({"body":"root"})")->content()));
  EXPECT_TRUE(
      check_new_relation(thread, message(R"({"m.relates_to":{"m.in_reply_to":{"event_id":"$said"}}})")->content()));
  auto child = message(relates("m.thread", "$root"));
  EXPECT_EQ(check_new_relation(thread, child->content()).error().code, Code::kUnknown);
  EXPECT_EQ(http_status(Code::kUnknown), 400);
  EXPECT_TRUE(check_new_relation(annotation, child->content()));
}

TEST(Annotations, AreDuplicatesByTypeAndKey) {
  auto reaction = [](std::string_view key, std::string_view type = "m.reaction") {
    return annotation_key(type,
                          *json::parse_object(R"({"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":)" +
                                              std::string(key) + "}}"));
  };
  EXPECT_TRUE(reaction("\"👍\""));
  EXPECT_EQ(reaction("\"👍\""), reaction("\"👍\""));
  EXPECT_NE(reaction("\"👍\""), reaction("\"👎\""));
  EXPECT_NE(reaction("\"👍\""), reaction("\"👍\"", "org.example.vote"));
  EXPECT_FALSE(reaction("5"));
  EXPECT_FALSE(annotation_key("m.room.message", message(relates("m.annotation", "$x"))->content()));
  EXPECT_FALSE(annotation_key("m.room.message", message(relates("m.thread", "$x", R"("key":"k",)"))->content()));
}

TEST(Aggregations, HaveTheFormOfTheSpecification) {
  EXPECT_TRUE(bundled({}).empty());
  Aggregation children;
  children.replacement = json::Object{{"event_id", "$edit"}};
  children.thread = {json::Object{{"event_id", "$last"}}, 7, true};
  children.references = {EventId::trusted("$one"), EventId::trusted("$two")};
  EXPECT_EQ(
      json::serialize(bundled(children)),
      R"({"m.replace":{"event_id":"$edit"},"m.thread":{"latest_event":{"event_id":"$last"},"count":7,"current_user_participated":true},"m.reference":{"chunk":[{"event_id":"$one"},{"event_id":"$two"}]}})");
  EXPECT_FALSE(bundles_children(*message("{}", R"(,"state_key":"")")));
  EXPECT_TRUE(bundles_children(*message("{}")));
}

}  // namespace
}  // namespace myelin
