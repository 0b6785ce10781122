#include "components/rooms/remote/command_wire.h"

#include "matrix/json.h"

namespace myelin::rooms {
namespace {

// Codes travel as numbers: new ones are appended to the enum.
constexpr auto kLastCode = Code::kUiaIncomplete;
static_assert(static_cast<int>(kLastCode) == 69, "a code was inserted: processes of two versions differ");

constexpr json::ParseLimits kLimits{.bytes = kMaxCommandBytes, .depth = 110};  // content was parsed with less

void put(json::Object& out, std::string_view key, const std::optional<std::string>& text) {
  if (text) out[key] = *text;
}
json::Object profile_of(const MemberProfile& profile) {
  json::Object out;
  put(out, "displayname", profile.displayname);
  put(out, "avatar_url", profile.avatar_url);
  return out;
}

json::Object to_json(const SendEvent& send) {
  json::Object out{{"do", "send"}, {"sender", send.sender.str()}, {"type", send.type}, {"content", send.content}};
  put(out, "state_key", send.state_key);
  if (send.redacts) out["redacts"] = send.redacts->str();
  if (const auto& txn = send.transaction)
    out["transaction"] =
        json::Object{{"user", txn->user.str()}, {"device", txn->device.str()}, {"path", txn->path}, {"id", txn->id}};
  return out;
}
json::Object to_json(const JoinRoom& join) {
  json::Object out{{"do", "join"},
                   {"user", join.user.str()},
                   {"profile", profile_of(join.profile)},
                   {"third_party_signed", join.third_party_signed},
                   {"more_content", join.more_content}};
  put(out, "reason", join.reason);
  return out;
}
json::Object to_json(const ChangeMembership& change) {
  json::Object out{{"do", "change_membership"},
                   {"sender", change.sender.str()},
                   {"target", change.target.str()},
                   {"action", static_cast<int>(change.action)},
                   {"profile", profile_of(change.profile)},
                   {"is_direct", change.is_direct}};
  put(out, "reason", change.reason);
  return out;
}

// Reads fields; the first that is missing or of another type makes everything bad.
class Fields {
 public:
  explicit Fields(const json::Object& object) : object_(object) {}
  bool ok() const { return ok_; }
  std::optional<std::string> maybe(std::string_view key) const {
    auto text = json::string_at(object_, key);
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
  std::string text(std::string_view key) {
    auto out = maybe(key);
    ok_ &= out.has_value();
    return out.value_or("");
  }
  json::Object object(std::string_view key) {
    const auto* out = json::object_at(object_, key);
    ok_ &= out != nullptr;
    return out == nullptr ? json::Object() : *out;
  }
  int64_t number(std::string_view key, int64_t limit) {
    auto out = json::integer_at(object_, key);
    ok_ &= out && *out >= 0 && *out <= limit;
    return out.value_or(0);
  }
  MemberProfile profile() {
    auto profile = object("profile");
    Fields fields(profile);
    return {fields.maybe("displayname"), fields.maybe("avatar_url")};
  }

 private:
  const json::Object& object_;
  bool ok_ = true;
};

SendEvent read_send(Fields& in, const json::Object& object, RoomId room) {
  SendEvent send{std::move(room), UserId::trusted(in.text("sender")), in.text("type"), in.maybe("state_key"),
                 in.object("content")};
  if (auto redacts = in.maybe("redacts")) send.redacts = EventId::trusted(*redacts);
  if (const auto* transaction = json::object_at(object, "transaction")) {
    Fields txn(*transaction);
    send.transaction = Transaction{UserId::trusted(txn.text("user")), DeviceId::trusted(txn.text("device")),
                                   txn.text("path"), txn.text("id")};
    if (!txn.ok()) send.transaction.reset();
  }
  return send;
}
JoinRoom read_join(Fields& in, RoomId room) {
  return {std::move(room),    UserId::trusted(in.text("user")), in.profile(),
          in.maybe("reason"), in.object("third_party_signed"),  in.object("more_content")};
}
ChangeMembership read_change(Fields& in, const json::Object& object, RoomId room) {
  auto last = static_cast<int64_t>(MembershipAction::kProfile);
  return {std::move(room),
          UserId::trusted(in.text("sender")),
          UserId::trusted(in.text("target")),
          static_cast<MembershipAction>(in.number("action", last)),
          in.profile(),
          in.maybe("reason"),
          json::bool_at(object, "is_direct").value_or(false)};
}

}  // namespace

std::string encode(const Command& command) {
  return std::visit(
      [](const auto& each) {
        auto out = to_json(each);
        out["room"] = each.room.str();
        out["id"] = each.command;
        return json::serialize(out);
      },
      command);
}

Result<Command> decode_command(std::string_view text) {
  MYELIN_TRY(auto object, json::parse_object(text, kLimits));
  Fields in(object);
  auto room = RoomId::trusted(in.text("room"));
  auto what = in.text("do");
  std::optional<Command> out;
  if (what == "send")
    out = read_send(in, object, std::move(room));
  else if (what == "join")
    out = read_join(in, std::move(room));
  else if (what == "change_membership")
    out = read_change(in, object, std::move(room));
  auto id = in.text("id");
  if (!out || !in.ok()) return fail(Code::kCorrupt, "a command that this version does not know");
  std::visit([&](auto& each) { each.command = id; }, *out);
  return *std::move(out);
}

std::string encode(const Answer& answer) {
  json::Object out;
  if (const auto* result = std::get_if<Result<EventId>>(&answer)) {
    if (*result) {
      out["event_id"] = (*result)->str();
    } else {
      const auto& error = result->error();
      out["code"] = static_cast<int>(error.code);
      out["message"] = error.message;
      if (error.fields) out["fields"] = *error.fields;
    }
  }
  return json::serialize(out);
}

Result<Answer> decode_answer(std::string_view text) {
  MYELIN_TRY(auto object, json::parse_object(text));
  if (object.empty()) return Moved{};
  if (auto id = json::string_at(object, "event_id")) return Result<EventId>(EventId::trusted(std::string(*id)));
  Fields in(object);
  auto code = in.number("code", 255);
  // A newer version's own is at least no success, and is told in its words.
  Error error{code <= static_cast<int64_t>(kLastCode) ? static_cast<Code>(code) : Code::kUnknown, in.text("message")};
  if (!in.ok()) return fail(Code::kCorrupt, "an answer that this version does not know");
  if (const auto* fields = json::object_at(object, "fields"))
    error.fields = std::make_shared<const json::Object>(*fields);
  return Result<EventId>(std::unexpected(std::move(error)));
}

}  // namespace myelin::rooms
