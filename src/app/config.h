// The configuration: one table of keys (config_keys.cc), from which the file, the MYELIN_ variables, the command line,
// `myelin config` and docs/configuration.md all come. Thread: plain data.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace myelin::app {

struct Config {
  std::string file;                   // that it was read from; "" = none
  bool server_name_is_given = false;  // somewhere; else server_name is the default
  std::string server_name, data_dir, signing_key, database, nats, registration, registration_secret, public_base_url,
      log_level, default_room_version;
  std::string instance = "one";  // this process's among those over one database; kept in data_dir
  std::vector<std::string> listen, trusted_proxies, roles;
  bool rate_limits = true, push_allow_private_addresses = false;
  std::string nats_user, nats_password, nats_token, nats_credentials, nats_nkey, nats_tls_ca, nats_tls_cert,
      nats_tls_key;
  int64_t cache_mb = 0, engine_memory_mb = 0, engine_threads = 0, max_body_kb = 0, database_readers = 0,
          database_lanes = 0, argon2_memory_kib = 0, argon2_passes = 0, drain_seconds = 0, max_account_data_kb = 0;
  std::string sqlite_vfs;                                  // tests: the file layer under SQLite
  bool streams_in_files = false;                           // tests: what is in a stream outlives the process
  std::map<std::string, std::string, std::less<>> places;  // where a key was given, for complaints
};

enum class KeyType : uint8_t { kText, kFlag, kNumber, kList };

struct Key {
  std::string_view name;  // in the file; MYELIN_<NAME> in the environment
  KeyType type;
  std::string_view initial;                   // default, as text; lists are comma-separated
  std::string_view flag;                      // on the command line, "" = only through --set
  std::string_view comment;                   // one or two sentences for an administrator
  std::span<const std::string_view> choices;  // where only these are allowed
  std::function<void(Config&, std::string_view)> set;
  std::function<std::string(const Config&)> get;
  int64_t least = 0, most = 0;                  // of a number
  std::function<bool(std::string_view)> check;  // of a text, or of each item of a list; may be empty
  std::string_view right;                       // what the check asks for: "an http or https URL"
  // The value without its secrets: what differs is not printed as a value. May be empty.
  std::function<std::string(std::string_view)> mask;
  bool hidden = false;  // for tests: in no documentation
};
std::span<const Key> keys();

struct Sources {
  std::optional<std::string> file;                            // path, read when given
  std::map<std::string, std::string> environment;             // what of it begins with MYELIN_
  std::vector<std::pair<std::string, std::string>> settings;  // key, value; later ones win; lists add up
};
// Flags over environment over file over defaults. kInvalidParam, with the place and the nearest right name.
Result<Config> load(const Sources&);

// Whether the roles can be used: less than all of them need PostgreSQL and an external NATS. For the start.
Result<void> check_roles(const Config&);
// Whether what is said of NATS can be used: nothing with the embedded engine, files that can be read else. For the
// start.
Result<void> check_nats(const Config&);

std::string effective_toml(const Config&);   // the file that gives this configuration but for secrets, with comments
std::string markdown();                      // docs/configuration.md
std::string nearest(std::string_view name);  // the key with the least edit distance
std::vector<std::string> split_list(std::string_view text);  // at commas, without spaces around; no empty items

}  // namespace myelin::app
