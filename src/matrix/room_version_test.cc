#include "matrix/room_version.h"

#include <gtest/gtest.h>

namespace myelin {
namespace {

const RoomRules& v(std::string_view version) { return *find_room_version(version); }

TEST(RoomVersions, AreOneToTwelve) {
  ASSERT_EQ(all_room_versions().size(), 12u);
  for (int i = 0; i < 12; ++i) {
    auto name = std::to_string(i + 1);
    EXPECT_EQ(all_room_versions()[static_cast<size_t>(i)].version, name);
    EXPECT_EQ(v(name).version, name);
    EXPECT_TRUE(v(name).stable);
  }
  for (auto unknown : {"", "0", "13", "01", "1.0", "org.matrix.msc2176"})
    EXPECT_EQ(find_room_version(unknown), nullptr);
  EXPECT_EQ(find_room_version(kDefaultRoomVersion)->version, "12");
}

// Each property, and the version that brings it (rooms/, Feature matrix).
TEST(RoomVersions, ChangeWhereTheSpecificationSays) {
  struct {
    const char* what;
    bool (*has)(const RoomRules&);
    int since, until;  // [since, until)
  } cases[] = {
      {"state resolution v1", [](auto& r) { return r.resolution == StateResolution::kV1; }, 1, 2},
      {"state resolution v2", [](auto& r) { return r.resolution == StateResolution::kV2; }, 2, 12},
      {"state resolution v2.1", [](auto& r) { return r.resolution == StateResolution::kV2_1; }, 12, 13},
      {"event id in event", [](auto& r) { return r.format.event_id == EventIdFormat::kInEvent; }, 1, 3},
      {"event id in base64", [](auto& r) { return r.format.event_id == EventIdFormat::kReferenceHash; }, 3, 4},
      {"url-safe id", [](auto& r) { return r.format.event_id == EventIdFormat::kUrlSafeReferenceHash; }, 4, 13},
      {"references with hashes", [](auto& r) { return r.format.event_references_with_hashes; }, 1, 3},
      {"create has room id", [](auto& r) { return r.format.create_has_room_id; }, 1, 12},
      {"redacts in content", [](auto& r) { return r.format.redacts_in_content; }, 11, 13},
      {"strict JSON", [](auto& r) { return r.format.canonical == json::CanonicalMode::kStrict; }, 6, 13},
      {"stripped state is PDUs", [](auto& r) { return r.format.validates_stripped_state; }, 12, 13},
      {"strict depth", [](auto& r) { return r.format.strict_depth; }, 6, 13},
      {"key validity", [](auto& r) { return r.enforce_key_validity; }, 5, 13},
      {"keep aliases", [](auto& r) { return r.redaction.keep_aliases; }, 1, 6},
      {"keep allow", [](auto& r) { return r.redaction.keep_allow; }, 8, 13},
      {"keep authorised via", [](auto& r) { return r.redaction.keep_authorised_via; }, 9, 13},
      {"keep legacy top level", [](auto& r) { return r.redaction.keep_legacy_top_level; }, 1, 11},
      {"keep create", [](auto& r) { return r.redaction.keep_all_create; }, 11, 13},
      {"keep signed", [](auto& r) { return r.redaction.keep_third_party_signed; }, 11, 13},
      {"keep invite", [](auto& r) { return r.redaction.keep_invite_level; }, 11, 13},
      {"keep redacts", [](auto& r) { return r.redaction.keep_redacts; }, 11, 13},
      {"aliases rule", [](auto& r) { return r.auth.aliases; }, 1, 6},
      {"redaction rule", [](auto& r) { return r.auth.redaction_rule; }, 1, 3},
      {"event id signature", [](auto& r) { return r.auth.event_id_signature; }, 1, 3},
      {"notification levels", [](auto& r) { return r.auth.notification_levels; }, 6, 13},
      {"knocking", [](auto& r) { return r.auth.knocking; }, 7, 13},
      {"restricted", [](auto& r) { return r.auth.restricted; }, 8, 13},
      {"knock_restricted", [](auto& r) { return r.auth.knock_restricted; }, 10, 13},
      {"integer levels", [](auto& r) { return r.auth.integer_power_levels; }, 10, 13},
      {"creator from sender", [](auto& r) { return r.auth.creator_from_sender; }, 11, 13},
      {"room id from create", [](auto& r) { return r.auth.room_id_from_create; }, 12, 13},
      {"infinite creators", [](auto& r) { return r.auth.creators_infinite; }, 12, 13},
  };
  for (auto& c : cases)
    for (int i = 1; i <= 12; ++i)
      EXPECT_EQ(c.has(v(std::to_string(i))), i >= c.since && i < c.until) << c.what << " in version " << i;
}

}  // namespace
}  // namespace myelin
