// The embedded engine's store holds nothing that is not in the database: one that cannot be used is replaced.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "infra/bus/jetstream_bus.h"
#include "infra/db/testing/databases.h"

namespace myelin::bus {
namespace {

namespace fs = std::filesystem;
constexpr Topic kTopic{"room.out"};

class DamagedStore : public ::testing::Test {
 protected:
  Result<void> start_and_stop() {
    options_.engine.store_dir = store_;
    options_.streams_in_memory = false;
    auto transport = make_jetstream_transport(options_, loop_.get_executor());
    auto status = transport->open();
    if (status) status = provision(*transport);
    if (!status && transport->recover(status.error())) status = provision(*transport);
    if (status) {
      EXPECT_GE(transport->engine().last_sequence("room_out"), 0);
    }
    transport->close();
    return status;
  }
  static Result<void> provision(Transport& transport) {
    MYELIN_CHECK(transport.provision(kTopic, "push"));
    return transport.provision(kTopic, "sync");
  }
  // Replaces every file of that name.
  int damage(const std::string& name) {
    int count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(store_)) {
      if (entry.path().filename() != name) continue;
      std::ofstream(entry.path(), std::ios::trunc) << "no such thing";
      ++count;
    }
    return count;
  }
  bool was_set_aside() const { return fs::exists(store_ + ".damaged"); }

  JetStreamOptions options_;
  boost::asio::io_context loop_;
  db::testing::TemporaryDirectory directory_;
  std::string store_ = directory_.path() + "/jetstream";
};

TEST_F(DamagedStore, AWholeOneIsUsedAgain) {
  ASSERT_TRUE(start_and_stop());
  ASSERT_TRUE(start_and_stop());
  EXPECT_FALSE(was_set_aside());
}

TEST_F(DamagedStore, AWholeOneIsKeptWhateverElseIsWrong) {
  ASSERT_TRUE(start_and_stop());
  options_.engine.tls_ca = "/no/such/file";
  EXPECT_FALSE(start_and_stop());
  options_.engine.tls_ca.clear();
  options_.engine.credentials = "/no/such/file";
  EXPECT_FALSE(start_and_stop());
  EXPECT_FALSE(was_set_aside());
}

TEST_F(DamagedStore, AConsumersStateThatCannotBeRead) {
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(start_and_stop());
    ASSERT_GT(damage("meta.sum"), 0);  // so the stream is made anew, over what is there of its consumers
    for (const char* consumer : {"push", "sync"})
      std::ofstream(store_ + "/jetstream/$G/streams/room_out/obs/" + consumer + "/o.dat") << "no such thing";
    ASSERT_TRUE(start_and_stop());
    EXPECT_TRUE(was_set_aside());
  }
}

TEST_F(DamagedStore, AFileInItsPlace) {
  std::ofstream(store_) << "no such thing";
  ASSERT_TRUE(start_and_stop());
  EXPECT_TRUE(was_set_aside());
}

TEST_F(DamagedStore, ThatItCannotBeReplacedIsAnError) {
  store_ = "/proc/no/such/place";
  EXPECT_FALSE(start_and_stop());
}

}  // namespace
}  // namespace myelin::bus
