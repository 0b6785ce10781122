// How far consumers are, and what is said when one does not follow.
#include "infra/bus/heads.h"

#include "infra/db/testing/contract.h"

namespace myelin::bus {
namespace {

class TrimmerTest : public db::testing::DatabaseTest {
 protected:
  bool warns() {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(db::testing::run(loop_, trimmer_->trim({})));
    auto said = ::testing::internal::GetCapturedStdout() + ::testing::internal::GetCapturedStderr();
    return said.find("200001 messages wait in the outbox for their consumers") != std::string::npos;
  }
  void set_head(int64_t next) {
    ASSERT_TRUE(write([next](db::Tx& tx) { return tx.exec("UPDATE outbox_head SET next_seq = $1", next); }));
  }
  void SetUp() override {
    DatabaseTest::SetUp();
    trimmer_ = std::make_unique<Trimmer>(*db_);
    ASSERT_TRUE(write([](db::Tx& tx) -> Result<int64_t> {
      tx.exec("INSERT INTO outbox_head (topic, partition, epoch, next_seq) VALUES ('t', 0, 0, 1)");
      return tx.exec("INSERT INTO cursor (consumer, topic, partition, seq) VALUES ('c', 't', 0, 0)");
    }));
  }
  std::unique_ptr<Trimmer> trimmer_;
};

TEST_P(TrimmerTest, SpineRuleB12AnOutboxThatGrowsIsAWarningOnce) {
  set_head(200'001);
  EXPECT_FALSE(warns());
  set_head(200'002);
  EXPECT_TRUE(warns());
  EXPECT_FALSE(warns());
}

INSTANTIATE_TEST_SUITE_P(Databases, TrimmerTest,
                         ::testing::Values(db::testing::Kind::kSqlite, db::testing::Kind::kPostgres));

}  // namespace
}  // namespace myelin::bus
