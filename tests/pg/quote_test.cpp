#include "pg/quote.h"

#include <gtest/gtest.h>

#include "tests/support/cluster.h"

namespace pgsluice::pg {
namespace {

TEST(Quote, DoublesQuotesInIdentifiers) {
  EXPECT_EQ(quote_identifier("plain"), "\"plain\"");
  EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_qualified("my schema", "select"), "\"my schema\".\"select\"");
}

TEST(Quote, NamesComeOutOfIdentifiersAsTheyWentIn) {
  for (const char* name : {"plain", "a\"b", "\"", "my schema", ""}) {
    EXPECT_EQ(unquote_identifier(quote_identifier(name)), name);
  }
  EXPECT_EQ(unquote_identifier("as_it_is"), "as_it_is");
}

TEST(Quote, ShowsPeopleQuotesOnlyWhereTheyMatter) {
  EXPECT_EQ(display_name("public", "orders"), "public.orders");
  EXPECT_EQ(display_name("Public", "a b"), "\"Public\".\"a b\"");
  EXPECT_EQ(display_name("", "role"), "role");
}

TEST(Quote, LiteralsMeanTheSameWhateverStandardConformingStringsSays) {
  Connection connection = test::shared_source().connect("postgres");
  for (const char* mode : {"on", "off"}) {
    connection.execute(std::string("SET escape_string_warning = off; SET standard_conforming_strings = ") + mode);
    for (const std::string text : {"plain", "it's", "back\\slash", "\\'", "\\", "'", "a\nb%d"}) {
      const Result result = connection.execute("SELECT " + quote_literal(text));
      EXPECT_EQ(result[0].text(0), text) << "with standard_conforming_strings " << mode;
    }
  }
}

}  // namespace
}  // namespace pgsluice::pg
