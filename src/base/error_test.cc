#include "base/error.h"

#include <gtest/gtest.h>

namespace myelin {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Code::kInvalidParam, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  MYELIN_TRY(int h, half(n));
  MYELIN_TRY(int q, half(h));
  return q;
}

TEST(Error, TravelsUp) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().code, Code::kInvalidParam);
}

TEST(Error, EveryCodeHasANameAndAStatus) {
  for (int code = 0; code <= static_cast<int>(Code::kUiaIncomplete); ++code) {
    EXPECT_TRUE(errcode(static_cast<Code>(code)).starts_with("M_"));
    int status = http_status(static_cast<Code>(code));
    EXPECT_TRUE(status >= 400 && status < 600);
  }
  EXPECT_EQ(errcode(Code::kForbidden), "M_FORBIDDEN");
  EXPECT_EQ(http_status(Code::kLimitExceeded), 429);
}

// Every code that the client-server, server-server and application service APIs name, and its status where they say
// one.
TEST(Error, KnowsTheCodesOfTheSpecification) {
  const std::map<std::string_view, int> codes{{"M_APPSERVICE_LOGIN_UNSUPPORTED", 400},
                                              {"M_BAD_ALIAS", 400},
                                              {"M_BAD_JSON", 400},
                                              {"M_BAD_STATE", 400},
                                              {"M_BAD_STATUS", 502},
                                              {"M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", 0},
                                              {"M_CANNOT_OVERWRITE_MEDIA", 409},
                                              {"M_CAPTCHA_INVALID", 0},
                                              {"M_CAPTCHA_NEEDED", 0},
                                              {"M_CONNECTION_FAILED", 502},
                                              {"M_CONNECTION_TIMEOUT", 504},
                                              {"M_DUPLICATE_ANNOTATION", 400},
                                              {"M_EXCLUSIVE", 400},
                                              {"M_FORBIDDEN", 403},
                                              {"M_GUEST_ACCESS_FORBIDDEN", 403},
                                              {"M_INCOMPATIBLE_ROOM_VERSION", 400},
                                              {"M_INVALID_PARAM", 400},
                                              {"M_INVALID_ROOM_STATE", 400},
                                              {"M_INVALID_SIGNATURE", 400},
                                              {"M_INVALID_USERNAME", 400},
                                              {"M_INVITE_BLOCKED", 403},
                                              {"M_KEY_TOO_LARGE", 400},
                                              {"M_LIMIT_EXCEEDED", 429},
                                              {"M_MISSING_PARAM", 400},
                                              {"M_MISSING_TOKEN", 401},
                                              {"M_NOT_FOUND", 404},
                                              {"M_NOT_JSON", 400},
                                              {"M_NOT_YET_UPLOADED", 504},
                                              {"M_PROFILE_TOO_LARGE", 400},
                                              {"M_RESOURCE_LIMIT_EXCEEDED", 0},
                                              {"M_ROOM_IN_USE", 400},
                                              {"M_SERVER_NOT_TRUSTED", 400},
                                              {"M_THREEPID_AUTH_FAILED", 403},
                                              {"M_THREEPID_DENIED", 403},
                                              {"M_THREEPID_IN_USE", 400},
                                              {"M_THREEPID_MEDIUM_NOT_SUPPORTED", 400},
                                              {"M_THREEPID_NOT_FOUND", 400},
                                              {"M_TOO_LARGE", 413},
                                              {"M_UNABLE_TO_AUTHORISE_JOIN", 400},
                                              {"M_UNABLE_TO_GRANT_JOIN", 400},
                                              {"M_UNAUTHORIZED", 401},
                                              {"M_UNKNOWN", 0},
                                              {"M_UNKNOWN_DEVICE", 400},
                                              {"M_UNKNOWN_TOKEN", 401},
                                              {"M_UNRECOGNIZED", 0},
                                              {"M_UNSUPPORTED_ROOM_VERSION", 400},
                                              {"M_URL_NOT_SET", 400},
                                              {"M_USER_DEACTIVATED", 403},
                                              {"M_USER_IN_USE", 400},
                                              {"M_USER_LIMIT_EXCEEDED", 403},
                                              {"M_USER_LOCKED", 401},
                                              {"M_USER_SUSPENDED", 403},
                                              {"M_WEAK_PASSWORD", 400},
                                              {"M_WRONG_ROOM_KEYS_VERSION", 403}};
  std::set<std::string_view> known;
  for (int i = 0; i <= static_cast<int>(Code::kUiaIncomplete); ++i) {
    auto code = static_cast<Code>(i);
    known.insert(errcode(code));
    auto specified = codes.find(errcode(code));
    bool is_other_status = code == Code::kServerManaged;  // M_BAD_JSON with status 405
    if (specified != codes.end() && specified->second != 0 && !is_other_status)
      EXPECT_EQ(http_status(code), specified->second) << specified->first;
  }
  for (auto& [code, status] : codes) EXPECT_TRUE(known.contains(code)) << code;
}

}  // namespace
}  // namespace myelin
