#include "schema/catalog/sequences.h"

#include <gtest/gtest.h>

#include "tests/support/cluster.h"

namespace pgsluice::schema {
namespace {

TEST(Sequences, ManyAreReadAndSetWithBothOfTheirParts) {
  const char* make =
      "DO $$ BEGIN FOR i IN 1..450 LOOP EXECUTE format('CREATE SEQUENCE %I', 's ' || i); END LOOP; END $$;"
      "CREATE SEQUENCE down INCREMENT -3 MINVALUE -100 MAXVALUE 10 START 10 CYCLE;"
      "CREATE SEQUENCE large MAXVALUE 9223372036854775807;";
  for (const test::Cluster* cluster : {&test::shared_source(), &test::shared_target()}) {
    cluster->create_database("sequences");
    cluster->sql("sequences", make);
  }
  test::shared_source().sql("sequences",
                            "SELECT setval('\"s 7\"', 42); SELECT setval('\"s 8\"', 42, false); SELECT nextval('down');"
                            "SELECT nextval('down'); SELECT setval('large', 9223372036854775807)");
  pg::Connection from = test::shared_source().connect("sequences");
  pg::Connection to = test::shared_target().connect("sequences", Side::kTarget);
  const Catalog catalog = read_catalog(from);
  EXPECT_EQ(catalog.sequences.size(), 452U);
  set_sequences(to, read_sequences(from, catalog.sequences));
  const char* query =
      "SELECT (SELECT last_value::text || is_called FROM \"s 7\") || (SELECT last_value::text || is_called FROM \"s "
      "8\")"
      " || (SELECT last_value::text || is_called FROM down) || (SELECT last_value::text || is_called FROM large)"
      " || (SELECT last_value::text || is_called FROM \"s 450\")";
  EXPECT_EQ(test::shared_target().value("sequences", query), "42true42false7true9223372036854775807true1false");
}

}  // namespace
}  // namespace pgsluice::schema
