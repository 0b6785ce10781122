#include "app/signing_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace myelin::app {
namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/myelin-key-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST(SigningKeyFile, IsMadeOnceAndKept) {
  Folder folder;
  SystemRandom random;
  auto first = load_or_make_signing_key(folder.path + "/signing.key", random);
  auto second = load_or_make_signing_key(folder.path + "/signing.key", random);
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(first->key_id(), second->key_id());
  EXPECT_EQ(first->seed(), second->seed());
  struct stat info{};
  ::stat((folder.path + "/signing.key").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(SigningKeyFile, RefusesWhatIsNoKey) {
  Folder folder;
  SystemRandom random;
  for (const char* text : {"", "rsa a b", "ed25519 a", "ed25519 a AAAA", "ed25519 a !!!!"}) {
    std::ofstream(folder.path + "/k") << text;
    EXPECT_FALSE(load_or_make_signing_key(folder.path + "/k", random)) << text;
  }
}

}  // namespace
}  // namespace myelin::app
