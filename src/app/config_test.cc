#include "app/config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
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

std::string upper_of(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

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
  Sources sources{
      file.path, {{"MYELIN_SERVER_NAME", "from.env"}, {"MYELIN_DATA_DIR", "env"}}, {{"server_name", "from.flag"}}};
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
           {"rate_limits = 3", ":1: rate_limits must be true or false"},
           {"rate_limits = \"on\"", ":1: rate_limits must be true or false"},
           {"cache_mb = \"12\"", ":1: cache_mb must be a whole number, without quotes"},
           {"cache_mb = 1.5", ":1: cache_mb must be a whole number, without quotes"},
           {"cache_mb = -1", ":1: cache_mb must be a whole number from 1 to 1048576, not \"-1\""},
           {"cache_mb = 99999999999999",
            ":1: cache_mb must be a whole number from 1 to 1048576, not \"99999999999999\""},
           {"\nengine_threads = 99999", ":2: engine_threads must be a whole number from 1 to 256, not \"99999\""},
           {"argon2_memory_kib = 1", ":1: argon2_memory_kib must be a whole number from 8 to 4194304, not \"1\""},
           {"server_name = 5", ":1: server_name must be a text in quotes"},
           {"\nregistration = \"sometimes\"", ":2: registration must be one of off, token, open, not \"sometimes\""},
           {"listen = \"127.0.0.1:1\"", ":1: listen must be a list of texts in quotes"},
           {"data_dir = [\"a\"]", ":1: data_dir must be a text in quotes"},
           {"listen = [1]", ":1: listen must be a list of texts in quotes"},
           {"server_name = 2020-01-01", ":1: server_name must be a text in quotes"},
           {"listen = {a = 1}", ":1: listen must be a list of texts in quotes"},
           {"\n[database]\nurl = \"x\"",
            ":2: there are no sections here: [database] has no meaning, keys stand by themselves"},
           {"[server]\nname = \"x\"",
            ":1: there are no sections here: [server] has no meaning, keys stand by themselves"},
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

Result<Config> with(std::string_view key, const std::string& value) {
  return load({{}, {}, {{std::string(key), value}}});
}

TEST(Config, ChecksEveryValueWhenItIsRead) {
  struct Case {
    std::string_view key;
    std::vector<std::string> right, wrong;
    std::string_view complaint;
  };
  for (const auto& [key, right, wrong, complaint] : std::vector<Case>{
           {"server_name",
            {"example.org", "localhost", "a.b:8448", "1.2.3.4", "[::1]:80"},
            {"bad name", "", "a_b", "x:99999999"},
            "server_name must be a name as in DNS, an IP address, or either with a port"},
           {"listen",
            {"127.0.0.1:0", "[::1]:65535", "localhost:8008", "0.0.0.0:1, [::]:1"},
            {"", "foo", "foo:1", "127.0.0.1", "127.0.0.1:65536", "::1:80", "[127.0.0.1]:1", "127.0.0.1:1,foo"},
            "listen must be ADDRESS:PORT, as in 127.0.0.1:8008 or [::1]:8008"},
           {"trusted_proxies",
            {"", "10.0.0.1", "::1,10.0.0.1", "10.0.0.0/8, fd00::/8", "0.0.0.0/0", "::1/128"},
            {"foo", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8x", "/8", "10.0.0.0/-1", "fe80::1%1"},
            "trusted_proxies must be IP addresses or ranges as 10.0.0.0/8"},
           {"public_base_url",
            {"", "https://matrix.example.org", "http://localhost:8008", "https://example.org/matrix/"},
            {"nonsense", "example.org", "ftp://example.org", "https://", "https://u@example.org", "https://a/?b"},
            "public_base_url must be an http or https URL, as in https://matrix.example.org"},
           {"database",
            {"sqlite", "postgres://u:p@a,b/x", "postgresql:///x?host=/run"},
            {"mysql://x", "SQLite", ""},
            "database must be sqlite or a postgres:// URL"},
           {"nats",
            {"embedded", "nats://a:4222", "tls://a,nats://u:p@b:1"},
            {"bogus", "", "http://a", "nats://"},
            "nats must be embedded or nats://HOST:PORT"},
           {"engine_threads",
            {"1", "256"},
            {"0", "257", "99999999999999999999", "1x", ""},
            "engine_threads must be a whole number from 1 to 256"},
       }) {
    for (const auto& value : right) EXPECT_TRUE(with(key, value)) << key << " " << value;
    for (const auto& value : wrong) {
      auto config = with(key, value);
      ASSERT_FALSE(config) << key << " " << value;
      EXPECT_TRUE(config.error().message.starts_with(fmt::format("command line: {}, not ", complaint)))
          << config.error().message;
    }
  }
}

TEST(Config, RefusesUnknownVariablesWithTheNearest) {
  auto config = load({{}, {{"MYELIN_REGISTRATIO", "open"}}, {}});
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "MYELIN_REGISTRATIO: unknown variable; did you mean MYELIN_REGISTRATION?");
  EXPECT_FALSE(load({{}, {{"MYELIN_server_name", "x"}}, {}}));
  EXPECT_FALSE(load({{}, {{"MYELIN_CACHE_MB", "x"}}, {}}));
  EXPECT_TRUE(load({{},
                    {{"MYELIN_CRASH_AT", "x"},
                     {"MYELIN_FAIL_AT", "x"},
                     {"MYELIN_POWER_CUT", "1 2"},
                     {"MYELIN_PORT", "tcp://10.0.0.1:8008"},
                     {"MYELIN_SERVICE_HOST", "10.0.0.1"},
                     {"MYELIN", "x"}},
                    {}}));
}

TEST(Config, AddsUpLists) {
  auto config = load({{}, {}, {{"listen", "127.0.0.1:1"}, {"listen", "[::1]:2"}}});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->listen, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
}

TEST(Config, PrintsAFileThatGivesTheSameAgain) {
  auto config =
      load({{},
            {},
            {{"data_dir", "a\"b\\c"}, {"listen", "127.0.0.1:1,[::1]:2"}, {"rate_limits", "off"}, {"cache_mb", "7"}}});
  ASSERT_TRUE(config);
  File file(effective_toml(*config));
  auto again = load(from_file(file));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(effective_toml(*again), effective_toml(*config));
  EXPECT_EQ(again->data_dir, "a\"b\\c");
}

TEST(Config, PrintsNoSecretsAndIsRefusedUntilTheyArePutBack) {
  for (auto [key, value] : {std::pair("registration_secret", "hush"), std::pair("nats_password", "hush"),
                            std::pair("nats_token", "hush"), std::pair("database", "postgres://me:hush@h/x"),
                            std::pair("database", "postgres://h/x?sslmode=require&password=hush&a=b"),
                            std::pair("nats", "nats://a:1,nats://me:hush@b:1"), std::pair("nats", "nats://hush@b:1")}) {
    auto config = with(key, value);
    ASSERT_TRUE(config) << value;
    auto printed = effective_toml(*config);
    EXPECT_EQ(printed.find("hush"), std::string::npos) << printed;
    auto line = printed.find(fmt::format("\n{} = ", key));
    ASSERT_NE(line, std::string::npos) << printed;
    auto number = 2 + std::ranges::count(printed.substr(0, line), '\n');
    File file(printed);
    auto again = load(from_file(file));
    ASSERT_FALSE(again) << printed;
    EXPECT_EQ(
        again.error().message,
        fmt::format("{}:{}: {} has *** for the secret, which is not printed: put the secret back, or take this out "
                    "and set MYELIN_{}",
                    file.path, number, key, upper_of(key)));
    auto mask = printed.find("***", line);
    ASSERT_NE(mask, std::string::npos);
    File whole(printed.replace(mask, 3, "hush"));
    again = load(from_file(whole));
    ASSERT_TRUE(again) << again.error().message;
    again->file.clear();
    EXPECT_EQ(effective_toml(*again), effective_toml(*config));
  }
  EXPECT_NE(effective_toml(*with("database", "postgres://me@h/x")).find("\ndatabase = \"postgres://me@h/x\""),
            std::string::npos);
}

TEST(Config, RefusesTheMaskOfASecretFromAnywhere) {
  for (auto [key, value] :
       {std::pair("registration_secret", "***"), std::pair("nats_password", "***"), std::pair("nats_token", "***"),
        std::pair("database", "postgres://me:***@h/x"), std::pair("database", "postgres://h/x?password=***"),
        std::pair("nats", "nats://a:1,nats://***@b:1")}) {
    auto config = with(key, value);
    ASSERT_FALSE(config) << key;
    EXPECT_TRUE(config.error().message.starts_with(fmt::format("command line: {} has *** for the secret", key)))
        << config.error().message;
    auto variable = fmt::format("MYELIN_{}", upper_of(key));
    config = load({{}, {{variable, value}}, {}});
    ASSERT_FALSE(config) << key;
    EXPECT_TRUE(config.error().message.starts_with(variable + ": ")) << config.error().message;
  }
  EXPECT_TRUE(with("registration_secret", "a***b"));
}

TEST(Config, KeepsOptionsOfAnExternalNatsFromTheEmbeddedOne) {
  for (const auto& key : keys()) {
    if (!key.name.starts_with("nats_")) continue;
    File file(fmt::format("\n{} = \"/etc/hostname\"\n", key.name));
    auto config = load(from_file(file));
    ASSERT_TRUE(config) << config.error().message;
    auto checked = check_nats(*config);
    ASSERT_FALSE(checked) << key.name;
    EXPECT_EQ(checked.error().message,
              fmt::format("{}:2: {} is for an external NATS, and nats is \"embedded\"", file.path, key.name));
    config->nats = "nats://h:1";
    EXPECT_TRUE(check_nats(*config)) << key.name;
  }
  for (auto key : {"nats_credentials", "nats_nkey", "nats_tls_ca", "nats_tls_cert", "nats_tls_key"}) {
    auto config = load({{}, {{"MYELIN_NATS", "nats://h:1"}}, {{key, "/no/such"}}});
    ASSERT_TRUE(config) << config.error().message;
    auto checked = check_nats(*config);
    ASSERT_FALSE(checked) << key;
    EXPECT_EQ(checked.error().message, fmt::format("command line: {}: /no/such cannot be read", key));
  }
  EXPECT_TRUE(check_nats(*load({})));
}

TEST(Config, RolesAreForProcessesThatHaveOthers) {
  auto checked = [](std::vector<std::string> roles, const char* database, const char* nats) -> std::string {
    Config config = *load({});
    config.roles = std::move(roles);
    config.database = database;
    config.nats = nats;
    auto status = check_roles(config);
    return status ? "" : status.error().message;
  };
  constexpr const char *kPostgres = "postgres://h/x", *kNats = "nats://h:1";
  EXPECT_EQ(checked({"client", "rooms", "sync", "background"}, "sqlite", "embedded"), "");
  EXPECT_EQ(checked({"rooms"}, kPostgres, kNats), "");
  EXPECT_NE(checked({"rooms"}, "sqlite", kNats).find("with sqlite there is no other process"), std::string::npos);
  EXPECT_NE(checked({"rooms"}, kPostgres, "embedded").find("with the embedded engine there is"), std::string::npos);
  EXPECT_NE(checked({}, kPostgres, kNats).find("this process would do nothing"), std::string::npos);
}

TEST(Config, DoesNotShowSecretsInComplaints) {
  auto config = with("database", "mysql://me:hush@h/x");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message.find("hush"), std::string::npos) << config.error().message;
}

TEST(Config, IsDocumented) {
  std::ifstream in("docs/configuration.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), markdown()) << "run: build/release/myelin config --markdown > docs/configuration.md";
}

}  // namespace
}  // namespace myelin::app
