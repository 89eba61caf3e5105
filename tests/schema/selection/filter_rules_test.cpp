#include "pgsluice/filter_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file_descriptor.h"
#include "pgsluice/error.h"

namespace pgsluice::schema {
namespace {

using ::testing::HasSubstr;

std::string error_of(std::string_view text) {
  try {
    parse_filter_rules(text, "f.ini");
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    return error.what();
  }
  return "no error";
}

// What a file's only entry, of tables, matches.
bool matches(const std::string& entry, std::string_view schema, std::string_view name) {
  const FilterRules rules = parse_filter_rules("[exclude-table]\n" + entry + "\n", "f.ini");
  const FilterEntry& only = rules.of(FilterSection::kExcludeTable).at(0);
  return only.schema->matches(schema) && only.name.matches(name);
}

TEST(FilterRules, NamesAreReadAsInSql) {
  EXPECT_TRUE(matches("public.orders", "public", "orders"));
  EXPECT_TRUE(matches("Public.ORDERS", "public", "orders"));
  EXPECT_FALSE(matches("public.orders", "public", "Orders"));
  EXPECT_TRUE(matches(R"("Sales"."Old ""x"" . orders")", "Sales", "Old \"x\" . orders"));
  EXPECT_TRUE(matches(R"(public."a;b#c")", "public", "a;b#c"));
  EXPECT_TRUE(matches("public.orders   ; a comment", "public", "orders"));
  EXPECT_TRUE(matches("public.orders = whatever", "public", "orders"));
  EXPECT_FALSE(matches("public.order", "public", "orders"));
  EXPECT_TRUE(matches("\xc3\x84.\xc3\x96", "\xc3\x84", "\xc3\x96"));
}

TEST(FilterRules, RegularExpressionsMayStandForEither) {
  EXPECT_TRUE(matches("public.~/^tmp_/", "public", "tmp_1"));
  EXPECT_FALSE(matches("public.~/^tmp_/", "public", "a_tmp_1"));
  EXPECT_TRUE(matches("~/^t[0-9]+$/.~/x|y/", "t12", "ay"));
  EXPECT_FALSE(matches("~/^t[0-9]+$/.~/x|y/", "t", "ay"));
  EXPECT_TRUE(matches(R"(public.~/a\/b/)", "public", "a/b"));
  EXPECT_TRUE(matches(R"(public.~/a\.b/)", "public", "a.b"));
  EXPECT_FALSE(matches(R"(public.~/a\.b/)", "public", "axb"));
  EXPECT_TRUE(matches("~/./.t", "Any", "t"));
  EXPECT_TRUE(matches(R"(public.~/^part_\d{4}(_q[1-4])?$/)", "public", "part_2024_q3"));
}

TEST(FilterRules, SectionsAndCommentsOfAnIniFile) {
  const FilterRules rules = parse_filter_rules(
      "\xef\xbb\xbf; first\r\n\r\n[include-only-schema]\r\n  app  \r\n# second\n[ exclude-index ] ; third\n app.i\n"
      "[exclude-table-data]",
      "f.ini");
  EXPECT_EQ(rules.of(FilterSection::kIncludeOnlySchema).size(), 1U);
  EXPECT_EQ(rules.of(FilterSection::kExcludeIndex).at(0).line, 7);
  EXPECT_FALSE(rules.has(FilterSection::kExcludeTableData)) << "a section without names says nothing";
  EXPECT_EQ(rules.to_text(), "[include-only-schema]\napp\n[exclude-index]\napp.i\n");
  EXPECT_TRUE(parse_filter_rules("", "f.ini").empty());
}

TEST(FilterRules, WhatIsWrongIsNamedWithItsLine) {
  EXPECT_THAT(error_of("[exclude-table]\na.b\norders\n"), HasSubstr("f.ini, line 3: a schema and a dot"));
  EXPECT_THAT(error_of("orders\n"), HasSubstr("line 1: a name stands before the first section"));
  EXPECT_THAT(error_of("[exclude-tables]\n"), HasSubstr("there is no section [exclude-tables]"));
  EXPECT_THAT(error_of("[exclude-table\n"), HasSubstr("line 1"));
  EXPECT_THAT(error_of("[exclude-schema]\n\"a\n"), HasSubstr("closing quote"));
  EXPECT_THAT(error_of("[exclude-schema]\n\"\"\n"), HasSubstr("empty name"));
  EXPECT_THAT(error_of("[exclude-schema]\na b\n"), HasSubstr("\"b\" is not expected"));
  EXPECT_THAT(error_of("[exclude-schema]\n~/a\n"), HasSubstr("slash at the end"));
  EXPECT_THAT(error_of("[exclude-schema]\n~/(/\n"), HasSubstr("regular expression /(/"));
  // Expressions that other engines expand to gigabytes.
  EXPECT_THAT(error_of("[exclude-schema]\n~/t++++++++++++++++++++++++++++++++x/\n"),
              HasSubstr("bad repetition operator"));
  EXPECT_THAT(error_of("[exclude-schema]\n~/((a{1,255}){1,255}){1,255}/\n"), HasSubstr("repetition"));
  EXPECT_THAT(error_of("[exclude-table]\n.b\n"), HasSubstr("a name is missing"));
  EXPECT_THAT(error_of("[exclude-table]\na.\n"), HasSubstr("a name is missing"));
  EXPECT_THAT(error_of(std::string_view("[exclude-schema]\na\0b\n", 21)), HasSubstr("zero byte"));
}

TEST(FilterRules, SectionsThatExcludeOneAnotherAreRefused) {
  EXPECT_THAT(error_of("[include-only-table]\na.b\n[exclude-schema]\nc\n"), HasSubstr("[exclude-schema]"));
  EXPECT_THAT(error_of("[include-only-table]\na.b\n[exclude-table]\nc.d\n"), HasSubstr("[exclude-table]"));
  EXPECT_THAT(error_of("[include-only-schema]\na\n[exclude-schema]\nc\n"), HasSubstr("[include-only-schema]"));
  EXPECT_THAT(error_of("[include-only-extension]\na\n[exclude-extension]\nc\n"), HasSubstr("[exclude-extension]"));
  EXPECT_EQ(error_of("[include-only-table]\na.b\n[include-only-schema]\na\n"), "no error");
}

TEST(FilterRules, AFileThatCannotBeReadIsAnError) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_filter_rules(folder.path() / "none"), Error);
  EXPECT_THROW(read_filter_rules(folder.path()), Error);
  std::ofstream(folder.path() / "f") << "[exclude-schema]\nx";
  EXPECT_EQ(read_filter_rules(folder.path() / "f").of(FilterSection::kExcludeSchema).size(), 1U);
}

}  // namespace
}  // namespace pgsluice::schema
