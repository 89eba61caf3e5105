#include "pgsluice/copy/copy_format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pgsluice/pg/snapshot.h"
#include "support/cluster.h"

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

  static FormatChoice choice(const std::string& type, int target_version = kTarget) {
    test::shared_source().sql("formats", fmt::format("DROP TABLE IF EXISTS t; CREATE TABLE t (c {})", type));
    pg::Connection source = test::shared_source().connect("formats");
    const schema::Catalog catalog = [&] {
      pg::export_snapshot(source);
      return schema::read_catalog(source);
    }();
    return choose_format(catalog, catalog.relations.at(0), target_version, FormatWish::kAuto);
  }
};

TEST_F(CopyFormatTest, BuiltInTypesEnumsTheirDomainsAndArraysAreBinary) {
  for (const char* type :
       {"bigint",        "integer", "smallint",  "oid",         "boolean",   "real",           "double precision",
        "numeric(10,2)", "money",   "text",      "varchar(10)", "char(3)",   "\"char\"",       "name",
        "bytea",         "date",    "time",      "timetz",      "timestamp", "timestamptz(3)", "interval",
        "uuid",          "json",    "jsonb",     "inet",        "cidr",      "macaddr",        "macaddr8",
        "bit(5)",        "varbit",  "point",     "box",         "int4range", "tstzrange",      "pg_lsn",
        "mood",          "percent", "integer[]", "text[]",      "mood[]",    "percent[]"}) {
    const FormatChoice made = choice(type);
    EXPECT_EQ(made.format, CopyFormat::kBinary) << type << ": " << made.reason;
  }
}

TEST_F(CopyFormatTest, WhatDiffersBetweenServersIsText) {
  for (const char* type : {"regclass", "regclass[]", "regs", "regtype", "tsvector", "tsquery", "xml", "pair", "pair[]",
                           "mood_range", "citext", "int4multirange", "jsonpath"}) {
    const FormatChoice made = choice(type);
    EXPECT_EQ(made.format, CopyFormat::kText) << type;
    EXPECT_NE(made.reason.find("column c: "), std::string::npos) << made.reason;
  }
}

TEST_F(CopyFormatTest, ATargetBefore14GetsArraysOfTheUsersTypesAsText) {
  EXPECT_EQ(choice("mood[]", 130000).format, CopyFormat::kText);
  EXPECT_EQ(choice("percent[]", 130000).format, CopyFormat::kText);
  EXPECT_EQ(choice("integer[]", 130000).format, CopyFormat::kBinary);
  EXPECT_EQ(choice("mood", 130000).format, CopyFormat::kBinary);
}

}  // namespace
}  // namespace pgsluice::copy
