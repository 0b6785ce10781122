#include "infra/lease/lease.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "infra/db/testing/databases.h"

namespace myelin::lease {
namespace {

TEST(DirectoryLock, SpineRuleB12OneProcessHoldsADirectory) {
  db::testing::TemporaryDirectory directory;
  {
    auto first = DirectoryLock::take(directory.path());
    ASSERT_TRUE(first);
    auto second = DirectoryLock::take(directory.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kUnavailable);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos) << "it names who";
    auto child = ::fork();
    if (child == 0) ::_exit(DirectoryLock::take(directory.path()) ? 1 : 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "another process does not get it either";
  }
  EXPECT_TRUE(DirectoryLock::take(directory.path()));
}

}  // namespace
}  // namespace myelin::lease
