#include "pgsluice/copy/relay.h"

#include <gtest/gtest.h>

#include "pgsluice/base/error.h"
#include "pgsluice/copy/libpq_copy.h"
#include "pgsluice/copy/libpq_relay.h"
#include "pgsluice/pg/transaction.h"
#include "support/cluster.h"

namespace pgsluice::copy {
namespace {

class LibpqRelayTest : public ::testing::Test {
 protected:
  LibpqRelayTest() {
    test::shared_source().create_database("relay");
    test::shared_target().create_database("relay");
    source_.emplace(test::shared_source().connect("relay", Side::kSource));
    target_.emplace(test::shared_target().connect("relay", Side::kTarget));
  }

  RelayOutcome run(const std::string& out, const std::string& in) {
    return relay_.run(*source_, *target_, {.copy_out = out, .copy_in = in, .bytes = bytes_});
  }

  LibpqRelay relay_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
  std::atomic<std::int64_t> bytes_{0};
};

TEST_F(LibpqRelayTest, CarriesRowsAndCountsThemOnBothSides) {
  target_->execute("CREATE TABLE t (i int, v text)");
  const RelayOutcome outcome =
      run("COPY (SELECT i, repeat('x', i % 1000) FROM generate_series(1, 50000) i) TO STDOUT", "COPY t FROM STDIN");
  EXPECT_EQ(outcome.source_rows, 50000);
  EXPECT_EQ(outcome.target_rows, 50000);
  EXPECT_GT(bytes_.load(), 20000000);
  EXPECT_TRUE(source_->idle() && target_->idle());
  EXPECT_EQ(target_->execute("SELECT count(*), sum(length(v)) FROM t WHERE length(v) = i % 1000")[0].integer(0), 50000);
}

TEST_F(LibpqRelayTest, CarriesBinaryAndRowsLargerThanAnyBuffer) {
  target_->execute("CREATE TABLE t (i int, v bytea)");
  const RelayOutcome outcome = run("COPY (SELECT 1, decode(repeat('ab', 30000000), 'hex')) TO STDOUT (FORMAT binary)",
                                   "COPY t FROM STDIN (FORMAT binary)");
  EXPECT_EQ(outcome.target_rows, 1);
  EXPECT_EQ(target_->execute("SELECT length(v) FROM t")[0].integer(0), 30000000);
}

TEST_F(LibpqRelayTest, AnEmptyStreamIsNoRows) {
  target_->execute("CREATE TABLE t (i int)");
  const RelayOutcome outcome = run("COPY (SELECT 1 WHERE false) TO STDOUT", "COPY t FROM STDIN");
  EXPECT_EQ(outcome.source_rows, 0);
  EXPECT_EQ(outcome.target_rows, 0);
}

TEST_F(LibpqRelayTest, AnErrorOfTheSourceInTheMiddleLeavesTheTargetAsItWas) {
  target_->execute("CREATE TABLE t (i int)");
  try {
    run("COPY (SELECT 1 / (400000 - i) FROM generate_series(1, 500000) i) TO STDOUT", "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_TRUE(source_->idle() && target_->idle());
  EXPECT_EQ(target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TEST_F(LibpqRelayTest, AnErrorOfTheTargetIsReportedWithItsSqlstateAndTheSourceIsIdleAgain) {
  target_->execute("CREATE TABLE t (i int CHECK (i <> 1000))");
  try {
    run("COPY (SELECT i FROM generate_series(1, 500000) i) TO STDOUT", "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kTarget);
    EXPECT_EQ(error.sqlstate(), "23514");
  }
  EXPECT_TRUE(source_->idle() && target_->idle());
  EXPECT_EQ(target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TEST_F(LibpqRelayTest, AStatementThatIsRefusedEndsTheOtherSideToo) {
  EXPECT_THROW(run("COPY (SELECT i FROM generate_series(1, 5000000) i) TO STDOUT", "COPY nothing FROM STDIN"), Error);
  EXPECT_EQ(source_->execute("SELECT 1")[0].integer(0), 1);
  EXPECT_EQ(target_->execute("SELECT 1")[0].integer(0), 1);
}

TEST_F(LibpqRelayTest, ASourceThatGoesAwayLeavesTheTargetAsItWas) {
  target_->execute("CREATE TABLE t (i int)");
  const std::string pid(source_->execute("SELECT pg_backend_pid()")[0].text(0));
  try {
    run("COPY (SELECT CASE WHEN i = 300000 THEN pg_terminate_backend(" + pid +
            ")::int ELSE i END FROM generate_series(1, 10000000) i) TO STDOUT",
        "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_TRUE(error.poisons_connection());
  }
  EXPECT_EQ(target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TEST_F(LibpqRelayTest, AWriterThatIsDroppedFailsTheCopy) {
  target_->execute("CREATE TABLE t (i int)");
  {
    CopyWriter writer(*target_, "COPY t FROM STDIN");
    writer.write("1\n2\n");
  }
  EXPECT_TRUE(target_->idle());
  EXPECT_EQ(target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

}  // namespace
}  // namespace pgsluice::copy
