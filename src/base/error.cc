#include "base/error.h"

namespace myelin {

std::string_view errcode(Code code) {
  switch (code) {
    case Code::kInternal: case Code::kUnavailable: case Code::kTimeout: case Code::kDiskFull: case Code::kFenced:
    case Code::kStale: case Code::kCommitUnknown: case Code::kCorrupt: case Code::kUnknown: case Code::kConflict:
      return "M_UNKNOWN";
    case Code::kForbidden: case Code::kNotJoined: return "M_FORBIDDEN";
    case Code::kUnknownToken: return "M_UNKNOWN_TOKEN";
    case Code::kMissingToken: return "M_MISSING_TOKEN";
    case Code::kUserLocked: return "M_USER_LOCKED";
    case Code::kUserSuspended: return "M_USER_SUSPENDED";
    case Code::kBadJson: case Code::kServerManaged: return "M_BAD_JSON";
    case Code::kNotJson: return "M_NOT_JSON";
    case Code::kNotFound: return "M_NOT_FOUND";
    case Code::kLimitExceeded: return "M_LIMIT_EXCEEDED";
    case Code::kUnrecognized: case Code::kMethodNotAllowed: return "M_UNRECOGNIZED";
    case Code::kUnauthorized: return "M_UNAUTHORIZED";
    case Code::kUserDeactivated: return "M_USER_DEACTIVATED";
    case Code::kUserInUse: return "M_USER_IN_USE";
    case Code::kInvalidUsername: return "M_INVALID_USERNAME";
    case Code::kRoomInUse: return "M_ROOM_IN_USE";
    case Code::kInvalidRoomState: return "M_INVALID_ROOM_STATE";
    case Code::kThreepidInUse: return "M_THREEPID_IN_USE";
    case Code::kThreepidNotFound: return "M_THREEPID_NOT_FOUND";
    case Code::kThreepidAuthFailed: return "M_THREEPID_AUTH_FAILED";
    case Code::kThreepidDenied: return "M_THREEPID_DENIED";
    case Code::kServerNotTrusted: return "M_SERVER_NOT_TRUSTED";
    case Code::kUnsupportedRoomVersion: return "M_UNSUPPORTED_ROOM_VERSION";
    case Code::kIncompatibleRoomVersion: return "M_INCOMPATIBLE_ROOM_VERSION";
    case Code::kBadState: return "M_BAD_STATE";
    case Code::kGuestAccessForbidden: return "M_GUEST_ACCESS_FORBIDDEN";
    case Code::kCaptchaNeeded: return "M_CAPTCHA_NEEDED";
    case Code::kCaptchaInvalid: return "M_CAPTCHA_INVALID";
    case Code::kMissingParam: return "M_MISSING_PARAM";
    case Code::kInvalidParam: return "M_INVALID_PARAM";
    case Code::kTooLarge: return "M_TOO_LARGE";
    case Code::kExclusive: return "M_EXCLUSIVE";
    case Code::kResourceLimitExceeded: return "M_RESOURCE_LIMIT_EXCEEDED";
    case Code::kCannotLeaveServerNoticeRoom: return "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM";
    case Code::kWeakPassword: return "M_WEAK_PASSWORD";
    case Code::kNoValidSession: return "M_NO_VALID_SESSION";
    case Code::kBadAlias: return "M_BAD_ALIAS";
    case Code::kWrongRoomKeysVersion: return "M_WRONG_ROOM_KEYS_VERSION";
    case Code::kUnknownPos: return "M_UNKNOWN_POS";
    case Code::kUnableToAuthoriseJoin: return "M_UNABLE_TO_AUTHORISE_JOIN";
    case Code::kUnableToGrantJoin: return "M_UNABLE_TO_GRANT_JOIN";
    case Code::kInviteBlocked: return "M_INVITE_BLOCKED";
    case Code::kUserLimitExceeded: return "M_USER_LIMIT_EXCEEDED";
    case Code::kInvalidSignature: return "M_INVALID_SIGNATURE";
    case Code::kTokenIncorrect: return "M_TOKEN_INCORRECT";
    case Code::kProfileTooLarge: return "M_PROFILE_TOO_LARGE";
    case Code::kKeyTooLarge: return "M_KEY_TOO_LARGE";
    case Code::kUiaIncomplete: return "M_UNAUTHORIZED";
  }
  return "M_UNKNOWN";
}

int http_status(Code code) {
  switch (code) {
    case Code::kInternal: case Code::kFenced: case Code::kStale: case Code::kCorrupt: return 500;
    case Code::kUnavailable: case Code::kDiskFull: case Code::kCommitUnknown: return 503;
    case Code::kTimeout: return 504;
    case Code::kUnknownToken: case Code::kMissingToken: case Code::kUserLocked: case Code::kUnauthorized:
    case Code::kUiaIncomplete: return 401;
    case Code::kForbidden: case Code::kNotJoined: case Code::kUserSuspended: case Code::kUserDeactivated:
    case Code::kGuestAccessForbidden: case Code::kThreepidDenied: case Code::kServerNotTrusted:
    case Code::kResourceLimitExceeded: case Code::kWrongRoomKeysVersion: case Code::kInviteBlocked:
    case Code::kUserLimitExceeded: case Code::kUnableToGrantJoin: return 403;
    case Code::kNotFound: case Code::kUnrecognized: return 404;
    case Code::kMethodNotAllowed: case Code::kServerManaged: return 405;
    case Code::kConflict: return 409;
    case Code::kTooLarge: return 413;
    case Code::kLimitExceeded: return 429;
    default: return 400;
  }
}

}  // namespace myelin
