#include "matrix/receipt_checks.h"

#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin {
namespace {

using auth::scenes::kAlice;
using auth::scenes::kBob;
using auth::scenes::kCarol;
using auth::scenes::Room;
using testing::make_event;

// Bob talks in Alice's room; every test takes one thing away.
class Arrival {
 public:
  explicit Arrival(std::string_view version) : Arrival(Room(*find_room_version(version))) {}
  explicit Arrival(const Room& in)
      : Arrival(in, in.spec(kBob, "m.room.message", std::nullopt, R"({"body":"hello"})")) {}
  Arrival(const Room& in, testing::EventSpec spec) : room(in), before(in), current(in) {
    for (auto& key : auth_event_keys(room.rules(), spec.type, spec.sender, spec.state_key, spec.content)) {
      auto event = room.find(key.type, key.state_key);
      if (!event) continue;
      auth_events.push_back({event, false});
      spec.auth.push_back(event->event_id().str());
    }
    // In scenes all but the create event share an id; ids play no part here beyond being different.
    for (size_t i = 0; i < spec.auth.size(); ++i) spec.auth[i] += std::to_string(i);
    facts.event = make_event(room.rules(), spec);
    facts.auth_events = auth_events;
    facts.create = {room.find("m.room.create", ""), false};
    facts.before = &before;
    facts.current = &current;
  }
  Receipt check() { return check_receipt(room.rules(), facts).value(); }

  Room room, before, current;
  std::vector<AuthEvent> auth_events;
  ReceiptFacts facts;
};

class Receipts : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Versions, Receipts,
                         ::testing::Values("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"));

TEST_P(Receipts, AGoodEventIsAccepted) {
  Arrival arrival(GetParam());
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kAccept) << receipt.reason;
  EXPECT_EQ(receipt.event, arrival.facts.event);
  EXPECT_FALSE(receipt.redacted);
  EXPECT_TRUE(receipt.reason.empty());
}

TEST_P(Receipts, AWrongSignatureDropsIt) {
  Arrival arrival(GetParam());
  arrival.facts.signatures_valid = false;
  EXPECT_EQ(arrival.check().verdict, Verdict::kDrop);
}

TEST_P(Receipts, AWrongHashRedactsItAndItGoesOn) {
  Arrival arrival(GetParam());
  arrival.facts.content_hash_matches = false;
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kAccept) << receipt.reason;
  EXPECT_TRUE(receipt.redacted);
  EXPECT_TRUE(receipt.event->content().empty());
  EXPECT_EQ(receipt.event->event_id(), arrival.facts.event->event_id());
  EXPECT_EQ(receipt.event->auth_events(), arrival.facts.event->auth_events());
}

// "otherwise it is redacted before being processed further": the rules see what is left. In version 8 the server that
// authorised a join is not left, from version 9 on it is.
TEST_P(Receipts, AJoinThatLosesItsAuthoriserIsRejected) {
  Room room(*find_room_version(GetParam()));
  room.join_rule("restricted");
  auto& rules = room.rules();
  Arrival arrival(room, room.spec(kCarol, "m.room.member", std::string(kCarol),
                                  R"({"membership":"join","join_authorised_via_users_server":"@mod:a.example"})"));
  EXPECT_EQ(arrival.check().verdict, rules.auth.restricted ? Verdict::kAccept : Verdict::kReject);
  arrival.facts.content_hash_matches = false;
  bool allowed = rules.auth.restricted && rules.redaction.keep_authorised_via;
  EXPECT_EQ(arrival.check().verdict, allowed ? Verdict::kAccept : Verdict::kReject);
}

// The other way about: what nobody's third party invite allows is a plain invite once it is redacted, until version 10.
TEST_P(Receipts, AnInviteThatLosesItsThirdPartyIsAPlainOne) {
  Room room(*find_room_version(GetParam()));
  auto& rules = room.rules();
  Arrival arrival(room, room.spec(kAlice, "m.room.member", std::string(kCarol),
                                  R"({"membership":"invite","third_party_invite":{"signed":{
                                      "mxid":"@carol:b.example","token":"t","signatures":{}}}})"));
  EXPECT_EQ(arrival.check().verdict, Verdict::kReject);
  arrival.facts.content_hash_matches = false;
  EXPECT_EQ(arrival.check().verdict, rules.redaction.keep_third_party_signed ? Verdict::kReject : Verdict::kAccept);
}

TEST_P(Receipts, BadAuthEventsRejectIt) {
  Arrival arrival(GetParam());
  arrival.auth_events.back().rejected = true;
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kReject);
  EXPECT_NE(receipt.reason.find("was rejected"), std::string::npos) << receipt.reason;
}

TEST_P(Receipts, AuthEventsThatDoNotAllowItRejectIt) {
  Arrival arrival(GetParam());
  arrival.room.member(kBob, "leave");
  arrival.auth_events.back().event = arrival.room.find("m.room.member", kBob);
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kReject);
  EXPECT_TRUE(receipt.reason.starts_with("by its auth events")) << receipt.reason;
}

// Attack 6: what the state before does not allow is rejected, whatever its auth events say.
TEST_P(Receipts, Attack06TheStateBeforeRejectsIt) {
  Arrival arrival(GetParam());
  arrival.before.member(kBob, "ban");
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kReject);
  EXPECT_TRUE(receipt.reason.starts_with("by the state before it")) << receipt.reason;
}

TEST_P(Receipts, TheCurrentStateSoftFailsIt) {
  Arrival arrival(GetParam());
  arrival.current.member(kBob, "ban");
  auto receipt = arrival.check();
  EXPECT_EQ(receipt.verdict, Verdict::kSoftFail);
  EXPECT_TRUE(receipt.reason.starts_with("by the current state")) << receipt.reason;
}

TEST_P(Receipts, ThePolicyServerSoftFailsIt) {
  Arrival arrival(GetParam());
  arrival.facts.policy = PolicyAnswer::kRefused;
  EXPECT_EQ(arrival.check().verdict, Verdict::kSoftFail);
}

TEST_P(Receipts, OutliersAreJudgedByTheirAuthEventsAlone) {
  Arrival arrival(GetParam());
  arrival.before.member(kBob, "ban");
  arrival.facts.before = arrival.facts.current = nullptr;
  EXPECT_EQ(arrival.check().verdict, Verdict::kAccept);
}

}  // namespace
}  // namespace myelin
