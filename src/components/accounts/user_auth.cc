// User-interactive authentication (client-server API, User-Interactive Authentication API): sessions are rows, so they
// outlive a restart and work on every process.
#include "base/bytes.h"
#include "components/accounts/accounts_impl.h"

namespace myelin::accounts {
namespace {

constexpr Milliseconds kSessionLifetime = 3'600'000;

using Stages = std::vector<std::string>;

bool holds(const Stages& stages, const std::string& stage) { return std::ranges::find(stages, stage) != stages.end(); }

json::Array to_array(const Stages& stages) { return json::Array(stages.begin(), stages.end()); }

// null: the request has none.
Result<const json::Object*> auth_of(const json::Object& body) {
  const auto* auth = body.if_contains("auth");
  if (auth == nullptr || auth->is_null()) return nullptr;
  if (!auth->is_object()) return fail(Code::kBadJson, "auth must be an object");
  for (const char* key : {"type", "session"})
    if (const auto* value = auth->as_object().if_contains(key); value != nullptr && !value->is_string())
      return fail(Code::kBadJson, fmt::format("auth: {} must be a string", key));
  return &auth->as_object();
}

// What a session is for: each attempt repeats the same request, with another "auth" in it. Who registers fills in the
// form between attempts.
Result<std::string> operation_of(const UiaRequest& request) {
  if (!request.user) return request.endpoint;
  auto body = request.body;
  body.erase("auth");
  MYELIN_TRY(auto canonical, json::canonical(body, json::CanonicalMode::kLax));
  return request.endpoint + " " + base64url(sha256(canonical));
}

std::optional<Stages> stored_stages(db::ReadTx& tx, const std::string& id, const std::string& operation,
                                    const std::string& user, Milliseconds now) {
  auto text = tx.one(
      "SELECT completed FROM uia_session WHERE session_id = $1 AND endpoint = $2 AND user_id = $3 AND expires_at > $4",
      [](const db::Row& row) { return row.str(0); }, id, operation, user, now);
  if (!text) return std::nullopt;
  Stages out;
  auto parsed = json::parse(*text);
  if (!parsed || !parsed->is_array()) return std::nullopt;
  for (const auto& stage : parsed->as_array()) out.emplace_back(stage.as_string());
  return out;
}

bool complete(const std::vector<Stages>& flows, const Stages& done) {
  return std::ranges::any_of(flows, [&](const Stages& flow) {
    return std::ranges::all_of(flow, [&](const auto& stage) { return holds(done, stage); });
  });
}

// Whom m.login.password is for; nullopt when it does not say.
std::optional<std::string> named_user(const json::Object& auth) {
  const auto* identifier = json::object_at(auth, "identifier");
  auto name = json::string_at(identifier != nullptr ? *identifier : auth, "user");  // or the form of old clients
  if (!name) return std::nullopt;
  return std::string(*name);
}

std::unexpected<Error> incomplete(const UiaRequest& request, const std::string& session, const Stages& done,
                                  const std::optional<Error>& error) {
  json::Array flows;
  for (const auto& flow : request.flows) flows.push_back(json::Object{{"stages", to_array(flow)}});
  json::Object body{{"flows", std::move(flows)}, {"params", json::Object()}, {"session", session}};
  if (!done.empty()) body["completed"] = to_array(done);
  if (error) {
    body["errcode"] = errcode(error->code);
    body["error"] = error->message;
  }
  return fail(Code::kUiaIncomplete, error ? error->message : "authentication is incomplete", std::move(body));
}

}  // namespace

// The stage that `auth` completes, nullopt when it tries none; an error when it fails.
Task<Result<std::optional<std::string>>> AccountsImpl::run_stage(const UiaRequest& request, const json::Object& auth) {
  auto type = json::string_at(auth, "type");
  if (!type) co_return std::nullopt;
  std::string stage(*type);
  bool offered = std::ranges::any_of(request.flows, [&](const Stages& flow) { return holds(flow, stage); });
  if (!offered) co_return fail(Code::kUnrecognized, "this stage is not offered here");
  if (stage == "m.login.dummy") co_return stage;
  if (stage == "m.login.registration_token") {
    auto token = json::string_at(auth, "token");
    if (!token) co_return fail(Code::kMissingParam, "token is required");
    MYELIN_CO_TRY(bool valid, co_await registration_token_valid(std::string(*token)));
    if (!valid) co_return fail(Code::kUnauthorized, "the registration token is not valid");
    co_return stage;
  }
  if (stage != "m.login.password" || !request.user) co_return fail(Code::kUnrecognized, "unknown stage");
  auto password = json::string_at(auth, "password");
  if (!password) co_return fail(Code::kMissingParam, "password is required");
  MYELIN_CO_CHECK(co_await check_password(*request.user, std::string(*password), request.remote_address));
  co_return stage;
}

Task<Result<void>> AccountsImpl::user_auth(UiaRequest request) {
  auto user = request.user ? request.user->str() : std::string();
  auto now = clock_.now();
  MYELIN_CO_TRY(const auto* auth, auth_of(request.body));
  MYELIN_CO_TRY(auto operation, operation_of(request));
  std::string session;
  Stages done;
  std::optional<Error> failure;
  if (auto given = auth ? json::string_at(*auth, "session") : std::nullopt) {
    std::string id(*given);
    MYELIN_CO_TRY(auto known, co_await db_.read([id, user, now, operation](db::ReadTx& tx) {
      return stored_stages(tx, id, operation, user, now);
    }));
    if (known) {
      session = id;
      done = std::move(*known);
    } else {
      failure = Error{Code::kForbidden, "this session is not one of this request"};
    }
  }
  bool is_new = session.empty();
  if (is_new) session = random_.token(24);

  if (auth != nullptr && !failure) {
    auto name = named_user(*auth);
    if (name && request.user && local_user(*name) != request.user)
      co_return fail(Code::kForbidden, "another user's authentication does not help here");
    auto stage = co_await run_stage(request, *auth);
    if (stage && *stage) {
      if (!holds(done, **stage)) done.push_back(**stage);
      if (complete(request.flows, done)) {
        if (is_new) co_return Result<void>{};
        co_return co_await db_.write(
            {}, [session](db::Tx& tx) { tx.exec("DELETE FROM uia_session WHERE session_id = $1", session); });
      }
    } else if (!stage) {
      if (stage.error().code == Code::kLimitExceeded || http_status(stage.error().code) >= 500)
        co_return std::unexpected(stage.error());
      failure = stage.error();
    }
  }
  MYELIN_CO_CHECK(co_await db_.write({}, [session, user, operation, expires = now + kSessionLifetime,
                                          completed = json::serialize(to_array(done))](db::Tx& tx) {
    tx.exec(
        "INSERT INTO uia_session (session_id, endpoint, user_id, completed, expires_at) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (session_id) DO UPDATE SET completed = excluded.completed",
        session, operation, user, completed, expires);
  }));
  co_return incomplete(request, session, done, failure);
}

}  // namespace myelin::accounts
