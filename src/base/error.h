// What can go wrong, as a value. Threads: plain data.
#pragma once
#include <boost/json/object.hpp>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace myelin {

// Every way to fail that a caller may tell apart. Those with a Matrix name are the standard error codes of the
// client-server and server-server APIs; errcode() and http_status() give their wire form.
enum class Code : unsigned char {
  // Ours: seen by callers inside the server; a client sees M_UNKNOWN with status 500 or 503.
  kInternal,       // a bug or a broken invariant
  kUnavailable,    // the database, the bus or a remote cannot be reached now; a retry may help
  kTimeout,        // a deadline passed
  kDiskFull,       // nothing can be stored until space returns
  kFenced,         // this process no longer owns what it wrote to
  kStale,          // a compare-and-swap found another value
  kCommitUnknown,  // COMMIT was sent and its answer lost: neither done nor not done
  kCorrupt,        // stored data fails its check
  // Matrix.
  kForbidden,
  kUnknownToken,
  kMissingToken,
  kUserLocked,
  kUserSuspended,
  kBadJson,
  kNotJson,
  kNotFound,
  kLimitExceeded,
  kUnrecognized,
  kUnknown,
  kUnauthorized,
  kUserDeactivated,
  kUserInUse,
  kInvalidUsername,
  kRoomInUse,
  kInvalidRoomState,
  kThreepidInUse,
  kThreepidNotFound,
  kThreepidAuthFailed,
  kThreepidDenied,
  kServerNotTrusted,
  kUnsupportedRoomVersion,
  kIncompatibleRoomVersion,
  kBadState,
  kGuestAccessForbidden,
  kCaptchaNeeded,
  kCaptchaInvalid,
  kMissingParam,
  kInvalidParam,
  kTooLarge,
  kExclusive,
  kResourceLimitExceeded,
  kCannotLeaveServerNoticeRoom,
  kWeakPassword,
  kNoValidSession,
  kBadAlias,
  kWrongRoomKeysVersion,
  kUnknownPos,
  kUnableToAuthoriseJoin,
  kUnableToGrantJoin,
  kInviteBlocked,
  kUserLimitExceeded,
  kMethodNotAllowed,  // M_UNRECOGNIZED with status 405
  kInvalidSignature,
  kTokenIncorrect,
  kProfileTooLarge,
  kKeyTooLarge,
  kUnknownDevice,
  kThreepidMediumNotSupported,
  kDuplicateAnnotation,
  kNotYetUploaded,
  kCannotOverwriteMedia,
  kAppserviceLoginUnsupported,
  kUrlNotSet,
  kConnectionFailed,
  kConnectionTimeout,
  kBadStatus,
  kNotJoined,
  kServerManaged,  // M_BAD_JSON with status 405: account data that only the server writes
  kConflict,       // M_UNKNOWN with status 409: the room alias exists already
  kUiaIncomplete,  // status 401 whose body is `fields`: the stages of user-interactive authentication
};

std::string_view errcode(Code);  // "M_FORBIDDEN"
int http_status(Code);           // the status the spec gives it, else 400

struct Error {
  Code code = Code::kInternal;
  std::string message;                                  // for a person; no secrets
  std::shared_ptr<const boost::json::object> fields{};  // further fields of the Matrix error object, or null
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message = {}) {
  return std::unexpected(Error{code, std::move(message)});
}
inline std::unexpected<Error> fail(Code code, std::string message, boost::json::object fields) {
  return std::unexpected(
      Error{code, std::move(message), std::make_shared<const boost::json::object>(std::move(fields))});
}

// MYELIN_TRY(auto x, expr): x = value of expr, or return (co_return: MYELIN_CO_TRY) its error.
#define MYELIN_CONCAT_(a, b) a##b
#define MYELIN_CONCAT(a, b) MYELIN_CONCAT_(a, b)
#define MYELIN_TRY_IMPL_(result, declaration, expression, ret) \
  auto result = (expression);                                  \
  if (!result) ret std::unexpected(std::move(result).error()); \
  declaration = *std::move(result)
#define MYELIN_TRY(declaration, expression) \
  MYELIN_TRY_IMPL_(MYELIN_CONCAT(try_result_, __LINE__), declaration, expression, return)
#define MYELIN_CO_TRY(declaration, expression) \
  MYELIN_TRY_IMPL_(MYELIN_CONCAT(try_result_, __LINE__), declaration, expression, co_return)
// The same for Result<void>, or when the value is not wanted.
#define MYELIN_CHECK(expression) \
  if (auto check_result = (expression); !check_result) return std::unexpected(std::move(check_result).error())
#define MYELIN_CO_CHECK(expression) \
  if (auto check_result = (expression); !check_result) co_return std::unexpected(std::move(check_result).error())

}  // namespace myelin
