#include "pg/wire.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "pg/query_pipeline.h"
#include "pg/transaction.h"
#include "tests/support/cluster.h"

namespace pgsluice::pg {
namespace {

enum class Way { kSocket, kTcp, kTls };

std::string name_of(const ::testing::TestParamInfo<Way>& info) {
  return info.param == Way::kSocket ? "Socket" : info.param == Way::kTcp ? "Tcp" : "Tls";
}

class WireTest : public ::testing::TestWithParam<Way> {
 protected:
  static void SetUpTestSuite() {
    cluster_ = std::make_unique<test::Cluster>(test::Cluster::Options{.tls = test::Cluster::Tls::kOffered});
    cluster_->sql("postgres", "CREATE ROLE remote LOGIN SUPERUSER PASSWORD 'secret'");
    cluster_->create_database("wire");
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  Connection connect(const CancelToken& cancel = {}) const {
    const std::string tcp = cluster_->tcp_conninfo("wire", "remote") + " password=secret gssencmode=disable sslmode=";
    const std::string text = GetParam() == Way::kSocket ? cluster_->conninfo("wire")
                             : GetParam() == Way::kTcp  ? tcp + "disable"
                                                        : tcp + "require";
    Connection connection = Connection::open(ConnInfo::parse(text, Side::kTarget), "test", {}, cancel);
    EXPECT_EQ(PQsslInUse(connection.handle()), GetParam() == Way::kTls ? 1 : 0);
    EXPECT_TRUE(Wire::available(connection));
    return connection;
  }

  static std::unique_ptr<test::Cluster> cluster_;
};

std::unique_ptr<test::Cluster> WireTest::cluster_;

INSTANTIATE_TEST_SUITE_P(Ways, WireTest, ::testing::Values(Way::kSocket, Way::kTcp, Way::kTls), name_of);

Answer run(Wire& wire, std::string_view sql) {
  wire.send_query(sql);
  return wire.take_answer();
}

TEST_P(WireTest, ManyQueriesInFlightAreAnsweredInTheirOrder) {
  Connection connection = connect();
  {
    Wire wire(connection);
    for (int i = 0; i < 1000; ++i) {
      wire.send_query(i % 10 == 7 ? "SELECT 1/0" : "CREATE TEMPORARY TABLE t" + std::to_string(i) + " (i int)");
    }
    for (int i = 0; i < 1000; ++i) {
      const Answer answer = wire.take_answer();
      if (i % 10 == 7) {
        ASSERT_TRUE(answer.error) << i;
        EXPECT_EQ(answer.error->sqlstate(), "22012");
      } else {
        EXPECT_EQ(answer.command, "CREATE TABLE") << i;
      }
    }
  }
  EXPECT_EQ(
      connection.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")[0].integer(0),
      900);
}

TEST_P(WireTest, StatementsOfOneQueryAreOneTransaction) {
  Connection connection = connect();
  Wire wire(connection);
  const Answer failed = run(wire, "CREATE TABLE half (i int); SELECT 1/0; CREATE TABLE other (i int)");
  EXPECT_EQ(failed.error->sqlstate(), "22012");
  EXPECT_EQ(run(wire, "SELECT 1 WHERE to_regclass('half') IS NULL").rows(), 1);
  EXPECT_EQ(run(wire, "").command, "");
}

TEST_P(WireTest, RowsOfAnyLengthArePassedOver) {
  Connection connection = connect();
  Wire wire(connection);
  EXPECT_EQ(run(wire, "SELECT repeat('x', i) FROM generate_series(0, 3000) i").rows(), 3001);
  EXPECT_EQ(run(wire, "SELECT repeat('x', 20000000)").rows(), 1);
}

TEST_P(WireTest, LibpqKnowsTheTransactionStatusAfterwards) {
  Connection connection = connect();
  {
    Transaction transaction(connection);
    {
      Wire wire(connection);
      EXPECT_TRUE(run(wire, "SELECT 1/0").error);
    }
    EXPECT_EQ(PQtransactionStatus(connection.handle()), PQTRANS_INERROR);
    EXPECT_THROW(transaction.commit(), Error);
  }
  EXPECT_TRUE(connection.idle());
  {
    Wire wire(connection);
    run(wire, "BEGIN");
  }
  EXPECT_EQ(PQtransactionStatus(connection.handle()), PQTRANS_INTRANS);
  connection.execute("ROLLBACK");
}

TEST_P(WireTest, ABusyConnectionIsNotBorrowed) {
  Connection connection = connect();
  connection.start_copy("COPY (SELECT 1) TO STDOUT");
  EXPECT_THROW(Wire wire(connection), Error);
}

TEST_P(WireTest, AQueryThatNobodyWaitedForIsCancelled) {
  Connection connection = connect();
  {
    Wire wire(connection);
    wire.send_query("SELECT pg_sleep(600)");
    wire.flush();
  }
  EXPECT_EQ(connection.execute("SELECT 1")[0].integer(0), 1);
  EXPECT_EQ(cluster_->value("postgres",
                            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%sleep%'"
                            " AND pid <> pg_backend_pid()"),
            "0");
}

TEST_P(WireTest, OfSeveralQueriesThatNobodyWaitedForNoneGoesOn) {
  Connection connection = connect();
  const std::string backend = std::to_string(PQbackendPID(connection.handle()));
  {
    Wire wire(connection);
    wire.send_query("SELECT pg_sleep(600)");
    wire.send_query("SELECT pg_sleep(601)");
    wire.send_query("SELECT pg_sleep(602)");
    while (!wire.flushed()) Wire::wait({&wire});
    while (cluster_->value("postgres", "SELECT query FROM pg_stat_activity WHERE pid = " + backend).find("600") ==
           std::string::npos) {
    }
  }
  EXPECT_FALSE(connection.alive());
  // The test's own limit ends it when the session stays.
  while (cluster_->value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE pid = " + backend) != "0") {
  }
}

TEST_P(WireTest, ACopyFromUsIsStoredOnlyWhenItWasEnded) {
  Connection connection = connect();
  connection.execute("DROP TABLE IF EXISTS rows; CREATE TABLE rows (v text)");
  const std::string row = std::string("d\0\0\0\6a\n", 7);
  {
    Wire wire(connection);
    wire.send_query("COPY rows FROM STDIN");
    while (!wire.flushed()) Wire::wait({&wire});
    wire.send_copy_run({.bytes = row, .payload = 2});
    while (!wire.flushed()) Wire::wait({&wire});
  }
  ASSERT_TRUE(connection.alive());
  EXPECT_EQ(connection.execute("SELECT count(*) FROM rows")[0].integer(0), 0);
  {
    Wire wire(connection);
    wire.send_query("COPY rows FROM STDIN");
    while (!wire.flushed()) Wire::wait({&wire});
    wire.send_copy_run({.bytes = row, .payload = 2});
    while (!wire.flushed()) Wire::wait({&wire});
    wire.send_copy_done();
    EXPECT_EQ(wire.take_answer().rows(), 1);
  }
  EXPECT_EQ(connection.execute("SELECT count(*) FROM rows")[0].integer(0), 1);
}

TEST_P(WireTest, ACopyFromUsThatIsGivenUpWithinARowStoresNothingAndFreesTheConnection) {
  Connection connection = connect();
  connection.execute("DROP TABLE IF EXISTS rows; CREATE TABLE rows (v text)");
  const std::string part = std::string(
      "d\0\0\0\6a\nd\0\0\0\x09"
      "abc",
      15);
  {
    Wire wire(connection);
    wire.send_query("COPY rows FROM STDIN");
    while (!wire.flushed()) Wire::wait({&wire});
    wire.send_copy_run({.bytes = part, .payload = 5, .missing = 2});
    while (!wire.flushed()) Wire::wait({&wire});
    EXPECT_THROW(wire.send_copy_done(), Error);
  }
  ASSERT_TRUE(connection.alive());
  EXPECT_EQ(connection.execute("SELECT count(*) FROM rows")[0].integer(0), 0);
}

TEST_P(WireTest, ARowThatIsCutAfterTheServersErrorFreesTheConnectionToo) {
  Connection connection = connect();
  connection.execute("DROP TABLE IF EXISTS rows; CREATE TABLE rows (v int)");
  const std::string row = std::string("d\0\0\0\6a\n", 7);
  const std::string part = std::string("d\0\0\x40\0", 5) + std::string(10000, '1');
  for (const bool sent : {true, false}) {
    {
      Wire wire(connection);
      wire.send_query("COPY rows FROM STDIN");
      while (!wire.flushed()) Wire::wait({&wire});
      wire.send_copy_run({.bytes = row, .payload = 2});
      while (!wire.flushed()) Wire::wait({&wire});
      EXPECT_EQ(wire.take_answer().error->sqlstate(), "22P02");
      wire.send_copy_run({.bytes = part, .payload = 10000, .missing = 0x4000 - 4 - 10000});
      while (sent && !wire.flushed()) Wire::wait({&wire});
    }
    ASSERT_TRUE(connection.alive());
    EXPECT_EQ(connection.execute("SELECT count(*) FROM rows")[0].integer(0), 0);
  }
}

TEST_P(WireTest, ATerminatedBackendIsALostConnectionWithItsReason) {
  Connection connection = connect();
  const int backend = PQbackendPID(connection.handle());
  Wire wire(connection);
  wire.send_query("SELECT pg_sleep(600)");
  wire.flush();
  cluster_->sql("postgres", "SELECT pg_terminate_backend(" + std::to_string(backend) + ")");
  try {
    wire.take_answer();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.sqlstate(), "57P01");
    EXPECT_EQ(error.side(), Side::kTarget);
  }
  EXPECT_FALSE(connection.alive());
}

TEST_P(WireTest, APipelineSaysTheSameByWireAndByLibpq) {
  for (const PipelineTransport transport : {PipelineTransport::kWire, PipelineTransport::kLibpq}) {
    Connection connection = connect();
    {
      QueryPipeline pipeline(connection, transport);
      pipeline.send({"SELECT generate_series(1, 3)"});
      pipeline.send({"SELECT 1/0"});
      pipeline.send({"SELECT 1", "a secret"});
      EXPECT_EQ(pipeline.in_flight(), 3u);
      EXPECT_EQ(pipeline.take().command, "SELECT 3");
      EXPECT_EQ(pipeline.take().error->sqlstate(), "22012");
      EXPECT_EQ(pipeline.take().rows(), 1);
      EXPECT_THROW(pipeline.take(), Error);
      EXPECT_EQ(connection.execute("SELECT 5")[0].integer(0), 5) << "the connection is free when all is answered";
      pipeline.send({"SELECT 1"});
      EXPECT_EQ(pipeline.take().rows(), 1);
    }
    EXPECT_TRUE(connection.idle());
  }
}

}  // namespace
}  // namespace pgsluice::pg
