#include "pg/transaction.h"

#include <gtest/gtest.h>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"

namespace pgsluice::pg {
namespace {

TEST(Transaction, RollsBackUnlessCommitted) {
  Connection connection = test::shared_source().connect("postgres");
  connection.execute("CREATE TEMPORARY TABLE t (i int)");
  {
    const Transaction transaction(connection);
    connection.execute("INSERT INTO t VALUES (1)");
  }
  EXPECT_TRUE(connection.idle());
  EXPECT_EQ(connection.execute("SELECT count(*) FROM t")[0].integer(0), 0);
  {
    Transaction transaction(connection);
    connection.execute("INSERT INTO t VALUES (1)");
    transaction.commit();
  }
  EXPECT_EQ(connection.execute("SELECT count(*) FROM t")[0].integer(0), 1);
}

TEST(Transaction, ACommitThatTheServerTurnsIntoARollbackIsAnError) {
  Connection connection = test::shared_source().connect("postgres");
  Transaction transaction(connection);
  EXPECT_THROW(connection.execute("SELECT 1/0"), Error);
  try {
    transaction.commit();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ROLLBACK"), std::string::npos);
  }
}

}  // namespace
}  // namespace pgsluice::pg
