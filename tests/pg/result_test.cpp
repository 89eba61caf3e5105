#include "pg/result.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::pg {
namespace {

using Texts = std::vector<std::string>;

TEST(ParseTextArray, ReadsWhatPostgreSqlWrites) {
  EXPECT_EQ(parse_text_array("{}"), Texts{});
  EXPECT_EQ(parse_text_array("{a,b}"), (Texts{"a", "b"}));
  EXPECT_EQ(parse_text_array(R"({"a,b","c\"d","e\\f",NULL,"NULL",""})"),
            (Texts{"a,b", "c\"d", "e\\f", "", "NULL", ""}));
}

TEST(ParseTextArray, RefusesWhatIsNone) {
  for (const char* text : {"", "{", "a,b", "{\"a}", "{{a}}", "{a\\}"}) {
    EXPECT_THROW(parse_text_array(text), Error) << text;
  }
}

TEST(Row, KeepsTheAnswerAlive) {
  Connection connection = test::shared_source().connect("postgres");
  const Row row = connection.execute("SELECT 42, 'text', NULL, true, ARRAY['x y', 'z']")[0];
  connection.execute("SELECT 1");
  EXPECT_EQ(row.integer(0), 42);
  EXPECT_EQ(row.text(1), "text");
  EXPECT_TRUE(row.is_null(2));
  EXPECT_EQ(row.optional_text(2), std::nullopt);
  EXPECT_TRUE(row.boolean(3));
  EXPECT_EQ(row.text_array(4), (Texts{"x y", "z"}));
  EXPECT_THROW(row.text(2), Error);
  EXPECT_THROW(row.integer(1), Error);
}

}  // namespace
}  // namespace pgsluice::pg
