#include "app/components.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <filesystem>

#include "app/addresses.h"
#include "app/roles.h"
#include "app/version.h"

namespace myelin::app {

db::Options database_options(const Config& config) {
  db::Options out;
  out.url = config.database == "sqlite" ? "sqlite:" + config.data_dir + "/myelin.db" : config.database;
  out.readers = static_cast<int>(config.database_readers);
  out.lanes = static_cast<int>(config.database_lanes);
  out.sqlite_vfs = config.sqlite_vfs;
  out.witness = config.data_dir + "/witness";
  return out;
}

bus::JetStreamOptions bus_options(const Config& config) {
  bus::JetStreamOptions out;
  out.streams_in_memory = config.nats == "embedded" && !config.streams_in_files;  // decision 0007
  auto& engine = out.engine;
  if (config.nats != "embedded") engine.url = config.nats;
  engine.store_dir = config.data_dir + "/jetstream";
  engine.memory_mb = config.engine_memory_mb;
  engine.threads = config.engine_threads;
  engine.user = config.nats_user;
  engine.password = config.nats_password;
  engine.token = config.nats_token;
  engine.credentials = config.nats_credentials;
  engine.nkey = config.nats_nkey;
  engine.tls_ca = config.nats_tls_ca;
  engine.tls_cert = config.nats_tls_cert;
  engine.tls_key = config.nats_tls_key;
  return out;
}

accounts::Config accounts_config(const Config& config) {
  using enum accounts::RegistrationMode;
  accounts::Config out;
  out.server_name = ServerName::trusted(config.server_name);
  out.registration = config.registration == "open" ? kOpen : config.registration == "token" ? kToken : kOff;
  if (!config.registration_secret.empty()) out.registration_secret = config.registration_secret;
  out.rate_limits = config.rate_limits;
  out.argon2_memory_kib = static_cast<unsigned>(config.argon2_memory_kib);
  out.argon2_passes = static_cast<unsigned>(config.argon2_passes);
  out.account_data_bytes = config.max_account_data_kb * 1024;
  return out;
}

rooms::Config rooms_config(const Config& config) {
  return {ServerName::trusted(config.server_name), static_cast<size_t>(config.cache_mb) * 1024 * 1024 / 2,
          Roles::of(config.roles).rooms, config.instance};
}

lease::Process about_process(const Config& config) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return {host, fmt::format("{}", fmt::join(config.roles, ",")), std::string(kVersion)};
}

// On loopback, a server of another name is behind a proxy, whose address we do not know.
std::string public_base_url(const Config& config) {
  if (!config.public_base_url.empty()) return config.public_base_url;
  bool is_try_out = config.server_name == "localhost" && config.trusted_proxies.empty();
  std::string first;
  for (const auto& text : config.listen) {
    auto address = parse_listen(text);
    is_try_out = is_try_out && address && is_loopback(address->host);
    if (is_try_out && first.empty())
      first = address->host == "127.0.0.1" ? fmt::format("localhost:{}", address->port) : text;
  }
  return is_try_out ? "http://" + first : "";
}

Result<void> make_data_directory(const Config& config) {
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (error) return fail(Code::kUnavailable, "the data directory " + config.data_dir + ": " + error.message());
  return {};
}

std::string signing_key_path(const Config& config) {
  return config.signing_key.empty() ? config.data_dir + "/signing.key" : config.signing_key;
}

Result<void> check_data_directory(const Config& config) {
  std::error_code ignored;
  auto needed = config.database == "sqlite" ? config.data_dir + "/myelin.db" : config.data_dir;
  if (std::filesystem::exists(needed, ignored)) return {};
  return fail(Code::kNotFound, "there is no server's data in " + config.data_dir +
                                   ": start the server first (`myelin serve`), or name its directory with --data");
}

}  // namespace myelin::app
