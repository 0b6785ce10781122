// Commands that need no server, run as they are typed.
#include "app/cli.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace myelin::app {
namespace {

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "myelin");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.status = run_command_line(static_cast<int>(argv.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

std::string read(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(CommandLine, RoomExplainSaysWhyARoomIsAsItIs) {
  auto outcome = run({"room", "explain", "src/matrix/examples/room.jsonl"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  auto expected = read("src/matrix/examples/room.txt");
  ASSERT_FALSE(expected.empty());
  EXPECT_EQ(outcome.out, expected);
}

TEST(CommandLine, RoomExplainRefusesWhatIsNoRoom) {
  auto outcome = run({"room", "explain", "README.md"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.err, "myelin: there is no m.room.create event\n");
  EXPECT_NE(run({"room", "explain", "no/such/file"}).status, 0);
  EXPECT_NE(run({"room"}).status, 0);
}

}  // namespace
}  // namespace myelin::app
