#include "matrix/receipt_checks.h"

#include <gtest/gtest.h>

#include "matrix/auth/scenes.h"

namespace myelin {
namespace {

using auth::scenes::kAlice;
using auth::scenes::kBob;
using auth::scenes::Room;
using testing::make_event;

// Bob talks in Alice's room; every test takes one thing away.
class Arrival {
 public:
  explicit Arrival(std::string_view version) : room(*find_room_version(version)), before(room), current(room) {
    auto spec = room.spec(kBob, "m.room.message", std::nullopt, R"({"body":"hello"})");
    for (auto& key : auth_event_keys(room.rules(), spec.type, kBob, spec.state_key, spec.content)) {
      auto event = room.find(key.type, key.state_key);
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
