#include "matrix/policy_server.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "matrix/redaction.h"
#include "matrix/testing/event.h"

namespace myelin {
namespace {

using testing::make_event;

const ServerName kOurs = ServerName::trusted("ours.example"), kPolicy = ServerName::trusted("policy.example");
SigningKey make_key(uint64_t seed) {
  SeededRandom random(seed);
  return SigningKey::generate(random, "k");
}
const SigningKey kOurKey = make_key(1), kPolicyKey = make_key(2);

EventPtr policy_event(const json::Object& content, std::string_view state_key = "") {
  return make_event(
      json::serialize(json::Object{{"type", "m.room.policy"}, {"state_key", state_key}, {"content", content}}));
}
json::Object content(std::string_view via, std::string_view key) {
  return {{"via", via}, {"public_keys", json::Object{{"ed25519", key}}}};
}
PolicyServer policy_server(const SigningKey& key = kPolicyKey) {
  return *PolicyServer::of(policy_event(content(kPolicy.str(), base64(key.public_key()))).get());
}
VerifiedEvent message(const RoomRules& rules, std::string body = "hello") {
  EventDraft draft{.sender = UserId::trusted("@u:ours.example"), .type = "m.room.message"};
  draft.room_id = RoomId::trusted("!room:ours.example");
  draft.content["body"] = std::move(body);
  return OwnEvent::build(draft, rules, kOurs, kOurKey).value();
}
json::Object answer_to(const Event& event, const RoomRules& rules, std::string_view server = kPolicy.str()) {
  auto signature = base64(kPolicyKey.sign(canonical_redacted(event.object(), rules).value()));
  return {{server, json::Object{{"ed25519:policy_server", signature}}}};
}

TEST(PolicyServer, IsNamedByAValidEventOfTheRoom) {
  auto key = base64(kPolicyKey.public_key());
  EXPECT_EQ(policy_server().server(), kPolicy);
  EXPECT_FALSE(PolicyServer::of(nullptr));
  EXPECT_FALSE(PolicyServer::of(policy_event(content("policy.example", key), "x").get()));
  EXPECT_FALSE(PolicyServer::of(policy_event(content("no server", key)).get()));
  for (auto text : {"{}", R"({"via":"a.example"})", R"({"via":5,"public_keys":{"ed25519":"x"}})",
                    R"({"via":"a.example","public_keys":[]})", R"({"via":"a.example","public_keys":{"ed25519":5}})"})
    EXPECT_FALSE(PolicyServer::of(policy_event(json::parse_object(text).value()).get())) << text;
}

TEST(PolicyServer, SignsAllButWhatNamesIt) {
  EXPECT_FALSE(PolicyServer::must_sign(*policy_event({})));
  EXPECT_TRUE(PolicyServer::must_sign(*policy_event({}, "x")));
  EXPECT_TRUE(PolicyServer::must_sign(*make_event(R"({"type":"m.room.policy"})")));
  EXPECT_TRUE(PolicyServer::must_sign(*make_event(R"({"type":"m.room.power_levels","state_key":""})")));
}

TEST(PolicyServer, ItsSignatureIsAddedAndFound) {
  for (auto& rules : all_room_versions()) {
    auto said = message(rules);
    auto policy = policy_server();
    EXPECT_FALSE(policy.has_signed(*said.event(), rules)) << rules.version;
    auto answer = answer_to(*said.event(), rules);
    answer["ours.example"] = json::Object{{"ed25519:k", "x"}};
    answer.at("policy.example").as_object()["ed25519:other"] = "x";
    auto added = policy.add_signature(said, rules, answer);
    ASSERT_TRUE(added) << rules.version << added.error().message;
    auto parsed = Event::parse(added->event()->text(), rules).value();
    EXPECT_TRUE(policy.has_signed(*parsed, rules));
    EXPECT_EQ(parsed->event_id(), said.event()->event_id());
    auto expected = said.event()->object();
    expected["signatures"].as_object()["policy.example"] = answer_to(*said.event(), rules).at("policy.example");
    EXPECT_EQ(parsed->object(), expected) << "and nothing else";
    EXPECT_FALSE(policy_server(kOurKey).has_signed(*parsed, rules)) << "the room names another key now";
  }
}

TEST(PolicyServer, Attack03OtherAnswersAreNoSignature) {
  auto& rules = *find_room_version("11");
  auto said = message(rules);
  auto policy = policy_server();
  auto of_another_event = answer_to(*message(rules, "goodbye").event(), rules);
  auto of_another_server = answer_to(*said.event(), rules, "ours.example");
  for (auto& answer : {json::Object(), of_another_event, of_another_server, json::Object{{"policy.example", 5}},
                       json::Object{{"policy.example", json::Object{{"ed25519:policy_server", "x"}}}}})
    EXPECT_EQ(policy.add_signature(said, rules, answer).error().code, Code::kInvalidSignature)
        << json::serialize(answer);
  auto unusable = *PolicyServer::of(policy_event(content("policy.example", "short")).get());
  EXPECT_FALSE(unusable.add_signature(said, rules, answer_to(*said.event(), rules)));
}

}  // namespace
}  // namespace myelin
