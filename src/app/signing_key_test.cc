#include "app/signing_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/bytes.h"

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

TEST(SigningKeyFile, IsTheSameForAllWhoMakeItAtOnce) {
  Folder folder;
  std::vector<std::string> seeds(8);
  {
    std::vector<std::jthread> makers;
    for (auto& seed : seeds)
      makers.emplace_back([&] {
        SystemRandom random;
        if (auto key = load_or_make_signing_key(folder.path + "/signing.key", random)) seed = key->seed();
      });
  }
  EXPECT_EQ(std::set(seeds.begin(), seeds.end()).size(), 1u);
  EXPECT_NE(seeds.front(), "");
}

TEST(SigningKeyFile, RefusesWhatIsNoKey) {
  Folder folder;
  SystemRandom random;
  for (const char* text : {"", "rsa a b", "ed25519 a", "ed25519 a AAAA", "ed25519 a !!!!"}) {
    std::ofstream(folder.path + "/k") << text;
    EXPECT_FALSE(load_or_make_signing_key(folder.path + "/k", random)) << text;
  }
}

// A key whose secret is published is no key (the server's operator is told at the start, not by others' refusals).
TEST(SigningKeyFile, Attack14ABannedKeyIsRefused) {
  Folder folder;
  auto path = folder.path + "/signing.key";
  SystemRandom random;
  auto key = load_or_make_signing_key(path, random);
  ASSERT_TRUE(key);
  BannedKeys banned;
  ASSERT_TRUE(banned.add(base64(key->public_key())));
  auto again = load_or_make_signing_key(path, random, banned);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kInvalidParam);
  EXPECT_NE(again.error().message.find(path), std::string::npos);
}

}  // namespace
}  // namespace myelin::app
