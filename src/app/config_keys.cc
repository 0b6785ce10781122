// The table of configuration keys.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "app/addresses.h"
#include "app/config.h"
#include "app/roles.h"
#include "matrix/ids.h"

namespace myelin::app {
namespace {

Key text(std::string_view name, std::string Config::* field, std::string_view initial, std::string_view flag,
         std::string_view comment, std::span<const std::string_view> choices = {}) {
  return {name,
          KeyType::kText,
          initial,
          flag,
          comment,
          choices,
          [field](Config& c, std::string_view v) { c.*field = v; },
          [field](const Config& c) { return c.*field; }};
}
Key checked(Key key, bool (*check)(std::string_view), std::string_view right) {
  key.check = check;
  key.right = right;
  return key;
}
Key masked(Key key, std::string (*mask)(std::string_view)) {
  key.mask = mask;
  return key;
}
Key secret(Key key) {
  return masked(std::move(key), [](std::string_view value) { return std::string(value.empty() ? "" : kMask); });
}
Key hidden(Key key) {
  key.hidden = true;
  return key;
}
Key flag(std::string_view name, bool Config::* field, std::string_view initial, std::string_view option,
         std::string_view comment) {
  return {name,
          KeyType::kFlag,
          initial,
          option,
          comment,
          {},
          [field](Config& c, std::string_view v) { c.*field = v == "true" || v == "on"; },
          [field](const Config& c) { return c.*field ? "true" : "false"; }};
}
Key number(std::string_view name, int64_t Config::* field, std::string_view initial, int64_t least, int64_t most,
           std::string_view comment) {
  return {name,
          KeyType::kNumber,
          initial,
          "",
          comment,
          {},
          [field](Config& c, std::string_view v) { std::from_chars(v.data(), v.data() + v.size(), c.*field); },
          [field](const Config& c) { return std::to_string(c.*field); },
          least,
          most};
}

bool is_server_name(std::string_view text) { return ServerName::parse(text).has_value(); }
bool is_listen_address(std::string_view text) { return parse_listen(text).has_value(); }
bool is_public_base_url(std::string_view text) { return text.empty() || is_base_url(text); }
bool is_database(std::string_view text) {
  return text == "sqlite" || text.starts_with("postgres://") || text.starts_with("postgresql://");
}
bool is_nats(std::string_view text) { return text == "embedded" || are_urls(text, "nats,tls,ws,wss"); }
bool is_role(std::string_view text) { return std::ranges::find(role_names(), text) != role_names().end(); }
Key list(std::string_view name, std::vector<std::string> Config::* field, std::string_view initial,
         std::string_view option, std::string_view comment) {
  return {name,
          KeyType::kList,
          initial,
          option,
          comment,
          {},
          [field](Config& c, std::string_view v) { c.*field = split_list(v); },
          [field](const Config& c) { return fmt::format("{}", fmt::join(c.*field, ",")); }};
}

constexpr std::string_view kRegistration[] = {"off", "token", "open"};
constexpr std::string_view kLogLevels[] = {"debug", "info", "warning", "error"};
constexpr std::string_view kRoomVersions[] = {"11", "12"};

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    auto comma = text.find(',');
    auto item = text.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return out;
}

std::span<const Key> keys() {
  using C = Config;
  static const std::vector<Key> table = {
      checked(text("server_name", &C::server_name, "localhost", "--server-name",
                   "The name in user and room ids: @you:NAME. Once there are users it is kept for ever: it may be left "
                   "out then, and another name is refused."),
              is_server_name, "a name as in DNS, an IP address, or either with a port"),
      text("data_dir", &C::data_dir, "./data", "--data",
           "Where everything is kept: database, signing key, the engine's streams. Of one process: no two share it."),
      text("signing_key", &C::signing_key, "", "",
           "Path of the server's signing key. Empty: signing.key in data_dir, made at the first start. Where several "
           "processes are one server, each is given the same key."),
      checked(
          list("listen", &C::listen, "127.0.0.1:8008", "--listen",
               "Addresses to serve HTTP on. Put a TLS-terminating proxy in front of anything that is not loopback."),
          is_listen_address, "ADDRESS:PORT, as in 127.0.0.1:8008 or [::1]:8008"),
      checked(text("public_base_url", &C::public_base_url, "", "",
                   "The URL that clients reach this server at, published in /.well-known/matrix/client and at login. "
                   "Empty: clients are told none, but for a server named localhost on loopback addresses."),
              is_public_base_url, "an http or https URL, as in https://matrix.example.org"),
      checked(
          list("roles", &C::roles, "client,rooms,sync,background", "--roles",
               "What this process does: client (HTTP), rooms (owns a share of the rooms), sync (the order of /sync, "
               "and HTTP), background (push and other work that waits). Several processes need PostgreSQL and an "
               "external NATS; each role may run in any number of them."),
          is_role, "client, rooms, sync or background"),
      checked(list("trusted_proxies", &C::trusted_proxies, "", "",
                   "IP addresses of reverse proxies whose X-Forwarded-For is believed, or ranges of them: 10.0.0.0/8."),
              is_ip_range, "IP addresses or ranges as 10.0.0.0/8"),
      masked(checked(text("database", &C::database, "sqlite", "--database",
                          "sqlite (a file in data_dir), or the URL of a PostgreSQL 15 or newer: "
                          "postgres://user:password@host/name."),
                     is_database, "sqlite or a postgres:// URL"),
             without_password),
      number("database_readers", &C::database_readers, "4", 1, 256,
             "Threads that read the database, each with a connection."),
      number("database_lanes", &C::database_lanes, "4", 1, 64,
             "PostgreSQL connections that write. SQLite has one writer."),
      masked(checked(text("nats", &C::nats, "embedded", "--nats",
                          "embedded (the engine runs inside, without a port), or the URL of a NATS server with "
                          "JetStream: nats://host:4222."),
                     is_nats, "embedded or nats://HOST:PORT"),
             without_nats_secrets),
      text("nats_user", &C::nats_user, "", "", "User for an external NATS."),
      secret(text("nats_password", &C::nats_password, "", "", "Password for an external NATS.")),
      secret(text("nats_token", &C::nats_token, "", "", "Token for an external NATS.")),
      text("nats_credentials", &C::nats_credentials, "", "", "Path of a .creds file for an external NATS."),
      text("nats_nkey", &C::nats_nkey, "", "", "Path of an nkey seed file for an external NATS."),
      text("nats_tls_ca", &C::nats_tls_ca, "", "",
           "Path of the CA certificate that an external NATS is checked against."),
      text("nats_tls_cert", &C::nats_tls_cert, "", "", "Path of our certificate towards an external NATS."),
      text("nats_tls_key", &C::nats_tls_key, "", "", "Path of our key towards an external NATS."),
      text("registration", &C::registration, "token", "--registration",
           "Who may register: off, token (with a registration token: myelin token new), or open (anybody).",
           kRegistration),
      secret(text("registration_secret", &C::registration_secret, "", "--registration-secret",
                  "Shared secret for /_synapse/admin/v1/register. Empty: that endpoint is off.")),
      flag("rate_limits", &C::rate_limits, "true", "--rate-limits",
           "Limits on logins and registrations. Off only for tests."),
      text("default_room_version", &C::default_room_version, "12", "", "The version of new rooms.", kRoomVersions),
      flag(
          "push_allow_private_addresses", &C::push_allow_private_addresses, "false", "",
          "May push gateways have loopback and private addresses? On only for tests or a gateway of your own network."),
      number("max_body_kb", &C::max_body_kb, "1024", 1, 1'048'576, "Largest request body, in KiB."),
      number("max_account_data_kb", &C::max_account_data_kb, "4096", 1, 1'048'576,
             "Account data of one user, all together, in KiB. The first sync of each device has all of it."),
      number("cache_mb", &C::cache_mb, "64", 1, 1'048'576, "Memory for caches of events, state and sessions, in MiB."),
      number("engine_memory_mb", &C::engine_memory_mb, "48", 1, 1'048'576,
             "Memory limit of the embedded engine, in MiB."),
      number("engine_threads", &C::engine_threads, "1", 1, 256, "Threads that run the embedded engine at once."),
      number("argon2_memory_kib", &C::argon2_memory_kib, "19456", 8, 4'194'304,
             "Memory to hash a password with (argon2id), in KiB."),
      number("argon2_passes", &C::argon2_passes, "2", 1, 1000, "Passes to hash a password with (argon2id)."),
      number("drain_seconds", &C::drain_seconds, "10", 1, 3600, "How long a stop waits for running requests."),
      text("log_level", &C::log_level, "info", "", "debug, info, warning or error.", kLogLevels),
      hidden(text("sqlite_vfs", &C::sqlite_vfs, "", "", "The file layer under SQLite.")),
      hidden(flag("streams_in_files", &C::streams_in_files, "false", "",
                  "Streams in files instead of in memory: what is in them outlives the process.")),
  };
  return table;
}

}  // namespace myelin::app
