#include "copy/copy_format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pg/snapshot.h"
#include "tests/support/cluster.h"

namespace pgsluice::copy {
namespace {

constexpr int kTarget = 150000;

// Which format a server's table of one column of this type gets, from the server's own catalog.
class CopyFormatTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    test::shared_source().create_database("formats");
    test::shared_source().sql("formats", R"(
      CREATE TYPE mood AS ENUM ('sad', 'glad');
      CREATE TYPE pair AS (a integer, b text);
      CREATE TYPE mood_range AS RANGE (subtype = text);
      CREATE DOMAIN percent AS integer CHECK (VALUE <= 100);
      CREATE DOMAIN regs AS regclass;
      CREATE EXTENSION citext;)");
  }

  // What a table with one column of each type gets.
  static std::vector<FormatChoice> choices(const std::vector<std::string>& types, int target_version = kTarget) {
    std::string sql;
    for (std::size_t i = 0; i < types.size(); ++i) {
      sql += fmt::format("DROP TABLE IF EXISTS t{0}; CREATE TABLE t{0} (c {1});", i, types[i]);
    }
    test::shared_source().sql("formats", sql);
    pg::Connection source = test::shared_source().connect("formats");
    pg::export_snapshot(source);
    const schema::Catalog catalog = schema::read_catalog(source);
    std::vector<FormatChoice> result(types.size());
    for (std::size_t i = 0; i < types.size(); ++i) {
      for (const schema::Relation& table : catalog.relations) {
        if (table.name != fmt::format("t{}", i)) continue;
        result[i] = choose_format(catalog, table, target_version, FormatWish::kAuto);
      }
    }
    return result;
  }
};

TEST_F(CopyFormatTest, BuiltInTypesEnumsTheirDomainsAndArraysAreBinary) {
  const std::vector<std::string> types = {
      "bigint",        "integer", "smallint",  "oid",         "boolean",   "real",           "double precision",
      "numeric(10,2)", "money",   "text",      "varchar(10)", "char(3)",   "\"char\"",       "name",
      "bytea",         "date",    "time",      "timetz",      "timestamp", "timestamptz(3)", "interval",
      "uuid",          "json",    "jsonb",     "inet",        "cidr",      "macaddr",        "macaddr8",
      "bit(5)",        "varbit",  "point",     "box",         "int4range", "tstzrange",      "pg_lsn",
      "mood",          "percent", "integer[]", "text[]",      "mood[]",    "percent[]"};
  const std::vector<FormatChoice> made = choices(types);
  for (std::size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(made[i].format, CopyFormat::kBinary) << types[i] << ": " << made[i].reason;
  }
}

TEST_F(CopyFormatTest, WhatDiffersBetweenServersIsText) {
  const std::vector<std::string> types = {
      "regclass", "regclass[]", "regs",   "regtype",        "tsvector",  "tsquery",    "xml",     "pair",
      "pair[]",   "mood_range", "citext", "int4multirange", "oidvector", "int2vector", "jsonpath"};
  const std::vector<FormatChoice> made = choices(types);
  for (std::size_t i = 0; i < types.size(); ++i) {
    EXPECT_EQ(made[i].format, CopyFormat::kText) << types[i];
    EXPECT_NE(made[i].reason.find("column c: "), std::string::npos) << made[i].reason;
  }
}

TEST_F(CopyFormatTest, ATargetBefore14GetsArraysOfTheUsersTypesAsText) {
  const std::vector<FormatChoice> made = choices({"mood[]", "percent[]", "integer[]", "mood"}, 130000);
  EXPECT_EQ(made[0].format, CopyFormat::kText);
  EXPECT_EQ(made[1].format, CopyFormat::kText);
  EXPECT_EQ(made[2].format, CopyFormat::kBinary);
  EXPECT_EQ(made[3].format, CopyFormat::kBinary);
}

}  // namespace
}  // namespace pgsluice::copy
