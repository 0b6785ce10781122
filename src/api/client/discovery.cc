// Client-server API, Server Discovery, API Versions, Capabilities negotiation.
#include "api/client/routes.h"
#include "matrix/room_version.h"

namespace myelin::api::client {
namespace {

constexpr std::string_view kVersions[] = {"r0.6.1", "v1.1",  "v1.2",  "v1.3",  "v1.4",  "v1.5",  "v1.6",
                                          "v1.7",   "v1.8",  "v1.9",  "v1.10", "v1.11", "v1.12", "v1.13",
                                          "v1.14",  "v1.15", "v1.16", "v1.17", "v1.18", "v1.19"};

Task<Result<std::string>> well_known(Components& on, Call) {
  if (on.public_base_url.empty()) co_return fail(Code::kNotFound, "this server does not know its public address");
  json::Object body{{"m.homeserver", json::Object{{"base_url", on.public_base_url}}}};
  co_return json::serialize(body);
}

Task<Result<std::string>> versions(Components&, Call) {
  json::Array list;
  for (auto version : kVersions) list.emplace_back(version);
  co_return json::serialize(json::Object{{"versions", std::move(list)}, {"unstable_features", json::Object()}});
}

Task<Result<std::string>> capabilities(Components& on, Call) {
  json::Object off{{"enabled", false}}, enabled{{"enabled", true}};
  json::Object available;
  for (const auto& rules : all_room_versions()) available[rules.version] = "stable";
  json::Object room_versions{{"default", on.default_room_version}, {"available", std::move(available)}};
  json::Object list{{"m.room_versions", std::move(room_versions)},
                    {"m.change_password", enabled},
                    {"m.set_displayname", enabled},
                    {"m.set_avatar_url", enabled},
                    {"m.profile_fields", enabled},
                    {"m.3pid_changes", off},
                    {"m.get_login_token", off}};
  co_return json::serialize(json::Object{{"capabilities", std::move(list)}});
}

}  // namespace

void add_discovery(Router& router, Components& on) {
  router.add(net::Method::kGet, "/.well-known/matrix/client", Auth::kNone,
             [&on](Call call) { return well_known(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/versions", Auth::kNone,
             [&on](Call call) { return versions(on, std::move(call)); });
  router.add(net::Method::kGet, "/_matrix/client/v3/capabilities", Auth::kToken,
             [&on](Call call) { return capabilities(on, std::move(call)); });
}

}  // namespace myelin::api::client
