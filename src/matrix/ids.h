// Identifiers (appendices, Identifier Grammar; signing key identifiers and mxc:// URIs). Strong types: one kind never
// passes for another. Values; any thread.
//
// parse() takes what may come from the network: the historical grammar, at most 255 bytes. make() builds one of ours,
// by the strict grammar.
#pragma once
#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/keyed_hash.h"

namespace myelin {

template <class Kind>
class Id {
 public:
  Id() = default;
  static Result<Kind> parse(std::string_view text);  // kInvalidParam
  static Kind trusted(std::string text) {            // already checked: read from our own database
    Kind id;
    id.text_ = std::move(text);
    return id;
  }
  const std::string& str() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;
  friend bool operator==(const Id&, const Id&) = default;

 protected:
  std::string text_;
};

// "matrix.org", "host:8448", "[::1]:8448": a host name or IP literal, and maybe a port.
class ServerName : public Id<ServerName> {
 public:
  std::string_view host() const;         // without the port; IPv6 literals keep their brackets
  std::optional<uint16_t> port() const;  // 0, where nobody can be, of those above 65535, which the grammar has too
  bool is_ip_literal() const;
};

// "@localpart:server"
class UserId : public Id<UserId> {
 public:
  static Result<UserId> make(std::string_view localpart,
                             const ServerName&);  // strict: a-z 0-9 . _ = - / +; kInvalidUsername
  std::string_view localpart() const;
  std::string_view server() const;
};

// "!opaque:server", or "!" + 43 characters of url-safe base64 (room version 12).
class RoomId : public Id<RoomId> {
 public:
  // Of the versions before 12. Strict: A-Z a-z 0-9, at most 255 bytes in all; kInvalidParam.
  static Result<RoomId> make(std::string_view opaque, const ServerName&);
};
// "$opaque:server" (versions 1 and 2) or "$" + base64 of the reference hash.
class EventId : public Id<EventId> {
 public:
  // Of the versions 1 and 2. Strict: an opaque identifier (as of a device), at most 255 bytes in all; kInvalidParam.
  static Result<EventId> make(std::string_view opaque, const ServerName&);
};
// "#localpart:server"
class RoomAlias : public Id<RoomAlias> {
 public:
  // kInvalidParam: no localpart, one with ":" or NUL or that is not UTF-8, or more than 255 bytes in all.
  static Result<RoomAlias> make(std::string_view localpart, const ServerName&);
  std::string_view localpart() const;
  std::string_view server() const;
};
// Opaque, 1 to 255 bytes.
class DeviceId : public Id<DeviceId> {
 public:
  // Strict (Opaque Identifiers): A-Z a-z 0-9 - . _ ~; kInvalidParam.
  static Result<DeviceId> make(std::string_view text);
};
// "mxc://server/media-id" (client-server API, Matrix Content URIs): the media id is 1 to 255 of A-Z a-z 0-9 _ -.
class MxcUri : public Id<MxcUri> {
 public:
  static Result<MxcUri> make(const ServerName&, std::string_view media_id);  // kInvalidParam: no such media id
  std::string_view server() const;
  std::string_view media_id() const;
};
// "ed25519:version", the name of a server's signing key (server-server API, Publishing Keys): the version is 1 or more
// of A-Z a-z 0-9 _. Keys of devices have other names.
class SigningKeyId : public Id<SigningKeyId> {
 public:
  static Result<SigningKeyId> make(std::string_view version);  // of an Ed25519 key; kInvalidParam: no such version
  std::string_view version() const;
};
// "m.login.password", "com.example.thing" (Common Namespaced Identifier Grammar): 1 to 255 of a-z 0-9 - _ . beginning
// with a letter.
class NamespacedId : public Id<NamespacedId> {
 public:
  bool is_reserved() const { return text_.starts_with("m."); }  // for the specification
};

template <>
Result<ServerName> Id<ServerName>::parse(std::string_view);
template <>
Result<UserId> Id<UserId>::parse(std::string_view);
template <>
Result<RoomId> Id<RoomId>::parse(std::string_view);
template <>
Result<EventId> Id<EventId>::parse(std::string_view);
template <>
Result<RoomAlias> Id<RoomAlias>::parse(std::string_view);
template <>
Result<DeviceId> Id<DeviceId>::parse(std::string_view);
template <>
Result<MxcUri> Id<MxcUri>::parse(std::string_view);
template <>
Result<SigningKeyId> Id<SigningKeyId>::parse(std::string_view);
template <>
Result<NamespacedId> Id<NamespacedId>::parse(std::string_view);

bool is_valid_utf8(std::string_view);  // no surrogates, no overlong forms

}  // namespace myelin

template <class T>
  requires std::derived_from<T, myelin::Id<T>>
struct std::hash<T> {
  size_t operator()(const T& id) const noexcept { return myelin::keyed_hash(id.str()); }
};
template <class T>
  requires std::derived_from<T, myelin::Id<T>>
struct fmt::formatter<T> : fmt::formatter<std::string> {
  auto format(const T& id, fmt::format_context& context) const {
    return fmt::formatter<std::string>::format(id.str(), context);
  }
};
