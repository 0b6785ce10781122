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

}  // namespace
}  // namespace myelin
