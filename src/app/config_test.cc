#include "app/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

namespace myelin::app {
namespace {

struct File {
  explicit File(const std::string& text) {
    char name[] = "/tmp/myelin-config-XXXXXX";
    ::close(::mkstemp(name));
    path = name;
    std::ofstream(path) << text;
  }
  ~File() { std::remove(path.c_str()); }
  std::string path;
};

Sources from_file(const File& file) { return {file.path, {}, {}}; }

TEST(Config, HasItsDefaults) {
  auto config = load({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->server_name, "localhost");
  EXPECT_EQ(config->registration, "token");
  EXPECT_EQ(config->listen, std::vector<std::string>{"127.0.0.1:8008"});
  EXPECT_EQ(config->default_room_version, "12");
}

TEST(Config, TakesTheCommandLineOverTheEnvironmentOverTheFile) {
  File file("server_name = \"from.file\"\ndata_dir = \"file\"\nlog_level = \"debug\"\n");
  Sources sources{file.path,
                  [](const std::string& name) -> std::optional<std::string> {
                    std::map<std::string, std::string> all{{"MYELIN_SERVER_NAME", "from.env"},
                                                           {"MYELIN_DATA_DIR", "env"}};
                    auto it = all.find(name);
                    return it == all.end() ? std::nullopt : std::optional(it->second);
                  },
                  {{"server_name", "from.flag"}}};
  auto config = load(sources);
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->server_name, "from.flag");
  EXPECT_EQ(config->data_dir, "env");
  EXPECT_EQ(config->log_level, "debug");
}

TEST(Config, NamesTheLineAndTheNearestKey) {
  File file("server_name = \"a\"\nregistraton = \"off\"\n");
  auto config = load(from_file(file));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, file.path + ":2: unknown key \"registraton\"; did you mean \"registration\"?");
}

TEST(Config, RefusesWrongValuesWithTheirPlace) {
  struct Case {
    std::string text, complaint;
  };
  for (const auto& [text, complaint] : std::vector<Case>{
           {"rate_limits = 3", ":1: rate_limits must be true or false, not \"3\""},
           {"cache_mb = \"many\"", ":1: cache_mb must be a positive whole number, not \"many\""},
           {"cache_mb = -1", ":1: cache_mb must be a positive whole number, not \"-1\""},
           {"\nregistration = \"sometimes\"", ":2: registration must be one of off, token, open, not \"sometimes\""},
           {"listen = \"127.0.0.1:1\"", ":1: listen must be a list"},
           {"data_dir = [\"a\"]", ":1: data_dir must not be a list"},
           {"listen = [1]", ":1: listen must be a list of texts"},
           {"server_name = 2020-01-01", ":1: server_name has a value of a kind that no key takes"},
       }) {
    File file(text);
    auto config = load(from_file(file));
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().message, file.path + complaint) << text;
  }
  File broken("server_name = \"a\nx");
  auto config = load(from_file(broken));
  ASSERT_FALSE(config);
  EXPECT_TRUE(config.error().message.starts_with(broken.path + ":1: ")) << config.error().message;
}

TEST(Config, AddsUpLists) {
  auto config = load({{}, {}, {{"listen", "127.0.0.1:1"}, {"listen", "[::1]:2"}}});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
}

TEST(Config, PrintsAFileThatGivesTheSameAgain) {
  auto config =
      load({{}, {}, {{"server_name", "a\"b\\c"}, {"listen", "x:1,y:2"}, {"rate_limits", "off"}, {"cache_mb", "7"}}});
  ASSERT_TRUE(config);
  File file(effective_toml(*config));
  auto again = load(from_file(file));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(effective_toml(*again), effective_toml(*config));
  EXPECT_EQ(again->server_name, "a\"b\\c");
}

TEST(Config, DoesNotPrintSecrets) {
  auto config = load({{}, {}, {{"registration_secret", "hush"}}});
  ASSERT_TRUE(config);
  EXPECT_EQ(effective_toml(*config).find("hush"), std::string::npos);
}

TEST(Config, IsDocumented) {
  std::ifstream in("docs/configuration.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), markdown()) << "run: build/release/myelin config --markdown > docs/configuration.md";
}

}  // namespace
}  // namespace myelin::app
