// One test body on both databases: a fixture derives from OnBothDatabases, makes its database by GetParam(), and is
// named in MYELIN_ON_BOTH_DATABASES.
#pragma once
#include <gtest/gtest.h>

#include "infra/db/testing/databases.h"

namespace myelin::testing {

using OnBothDatabases = ::testing::TestWithParam<db::testing::Kind>;

inline std::string database_name(const ::testing::TestParamInfo<db::testing::Kind>& info) {
  return info.param == db::testing::Kind::kSqlite ? "Sqlite" : "Postgres";
}

}  // namespace myelin::testing

#define MYELIN_ON_BOTH_DATABASES(fixture)                                                               \
  INSTANTIATE_TEST_SUITE_P(Databases, fixture,                                                          \
                           ::testing::Values(db::testing::Kind::kSqlite, db::testing::Kind::kPostgres), \
                           myelin::testing::database_name)
