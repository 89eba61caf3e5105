#include "copy/relay.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>
#include <thread>

#include "copy/libpq_copy.h"
#include "copy/libpq_relay.h"
#include "copy/wire_relay.h"
#include "pg/poll_io.h"
#include "pg/transaction.h"
#include "pg/uring_io.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/scripted_server.h"
#include "tests/support/wait_until.h"

namespace pgsluice::copy {
namespace {

template <class TestedRelay>
class RelayTest : public ::testing::Test {
 protected:
  RelayTest() {
    test::shared_source().create_database("relay");
    test::shared_target().create_database("relay");
    source_.emplace(test::shared_source().connect("relay", Side::kSource));
    target_.emplace(test::shared_target().connect("relay", Side::kTarget));
  }

  RelayOutcome run(const std::string& out, const std::string& in) {
    return relay_.run(*source_, *target_, {.copy_out = out, .copy_in = in, .flow = bytes_});
  }

  TestedRelay relay_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
  std::atomic<std::int64_t> bytes_{0};
};

// Where the kernel forbids io_uring this is the polling relay once more.
class UringRelay : public WireRelay {
 public:
  UringRelay() : WireRelay(allowed() ? std::unique_ptr<pg::WireIo>(new pg::UringIo) : std::make_unique<pg::PollIo>()) {}

 private:
  static bool allowed() {
    const std::optional<std::string> reason = pg::UringIo::unavailable_because();
    if (reason) std::cerr << "io_uring is not tested here: " << *reason << '\n';
    return !reason;
  }
};

using Relays = ::testing::Types<LibpqRelay, WireRelay, UringRelay>;
TYPED_TEST_SUITE(RelayTest, Relays);

TYPED_TEST(RelayTest, CarriesRowsAndCountsThemOnBothSides) {
  this->target_->execute("CREATE TABLE t (i int, v text)");
  const RelayOutcome outcome = this->run(
      "COPY (SELECT i, repeat('x', i % 1000) FROM generate_series(1, 50000) i) TO STDOUT", "COPY t FROM STDIN");
  EXPECT_EQ(outcome.source_rows, 50000);
  EXPECT_EQ(outcome.target_rows, 50000);
  EXPECT_GT(this->bytes_.load(), 20000000);
  EXPECT_TRUE(this->source_->idle() && this->target_->idle());
  EXPECT_EQ(this->target_->execute("SELECT count(*), sum(length(v)) FROM t WHERE length(v) = i % 1000")[0].integer(0),
            50000);
}

TYPED_TEST(RelayTest, CarriesBinaryAndRowsLargerThanAnyBuffer) {
  this->target_->execute("CREATE TABLE t (i int, v bytea)");
  const RelayOutcome outcome =
      this->run("COPY (SELECT 1, decode(repeat('ab', 30000000), 'hex')) TO STDOUT (FORMAT binary)",
                "COPY t FROM STDIN (FORMAT binary)");
  EXPECT_EQ(outcome.target_rows, 1);
  EXPECT_EQ(this->target_->execute("SELECT length(v) FROM t")[0].integer(0), 30000000);
}

TYPED_TEST(RelayTest, AnEmptyStreamIsNoRows) {
  this->target_->execute("CREATE TABLE t (i int)");
  const RelayOutcome outcome = this->run("COPY (SELECT 1 WHERE false) TO STDOUT", "COPY t FROM STDIN");
  EXPECT_EQ(outcome.source_rows, 0);
  EXPECT_EQ(outcome.target_rows, 0);
}

TYPED_TEST(RelayTest, AnErrorOfTheSourceInTheMiddleLeavesTheTargetAsItWas) {
  this->target_->execute("CREATE TABLE t (i int)");
  try {
    this->run("COPY (SELECT 1 / (400000 - i) FROM generate_series(1, 500000) i) TO STDOUT", "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_EQ(error.sqlstate(), "22012");
  }
  EXPECT_TRUE(this->source_->idle() && this->target_->idle());
  EXPECT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TYPED_TEST(RelayTest, AnErrorOfTheTargetIsReportedWithItsSqlstateAndTheSourceIsIdleAgain) {
  this->target_->execute("CREATE TABLE t (i int CHECK (i <> 1000))");
  try {
    this->run("COPY (SELECT i FROM generate_series(1, 500000) i) TO STDOUT", "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kTarget);
    EXPECT_EQ(error.sqlstate(), "23514");
  }
  EXPECT_TRUE(this->source_->idle() && this->target_->idle());
  EXPECT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TYPED_TEST(RelayTest, AStatementThatIsRefusedEndsTheOtherSideToo) {
  EXPECT_THROW(this->run("COPY (SELECT i FROM generate_series(1, 5000000) i) TO STDOUT", "COPY nothing FROM STDIN"),
               Error);
  EXPECT_EQ(this->source_->execute("SELECT 1")[0].integer(0), 1);
  EXPECT_EQ(this->target_->execute("SELECT 1")[0].integer(0), 1);
}

TYPED_TEST(RelayTest, ASourceThatGoesAwayLeavesTheTargetAsItWas) {
  this->target_->execute("CREATE TABLE t (i int)");
  const std::string pid(this->source_->execute("SELECT pg_backend_pid()")[0].text(0));
  try {
    this->run("COPY (SELECT CASE WHEN i = 300000 THEN pg_terminate_backend(" + pid +
                  ")::int ELSE i END FROM generate_series(1, 10000000) i) TO STDOUT",
              "COPY t FROM STDIN");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.side(), Side::kSource);
    EXPECT_TRUE(error.poisons_connection());
  }
  EXPECT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TEST(CopyWriter, ThatIsDroppedFailsTheCopy) {
  test::shared_target().create_database("relay");
  pg::Connection target = test::shared_target().connect("relay", Side::kTarget);
  target.execute("CREATE TABLE t (i int)");
  {
    CopyWriter writer(target, "COPY t FROM STDIN");
    writer.write("1\n2\n");
  }
  EXPECT_TRUE(target.idle());
  EXPECT_EQ(target.execute("SELECT count(*) FROM t")[0].integer(0), 0);
}

TYPED_TEST(RelayTest, ATransactionThatAFailedCopyWasInHasFailed) {
  this->target_->execute("CREATE TABLE t (i int CHECK (i <> 5))");
  this->source_->execute("BEGIN");
  this->target_->execute("BEGIN");
  EXPECT_THROW(this->run("COPY (SELECT generate_series(1, 10)) TO STDOUT", "COPY t FROM STDIN"), Error);
  EXPECT_EQ(PQtransactionStatus(this->target_->handle()), PQTRANS_INERROR);
  EXPECT_NE(PQtransactionStatus(this->source_->handle()), PQTRANS_ACTIVE);
  this->source_->execute("ROLLBACK");
  this->target_->execute("ROLLBACK");
}

// The source's answer to a COPY of two rows, cut at each byte: the target must never take it for the whole.
TYPED_TEST(RelayTest, WhateverByteTheSourceDiesAtTheTargetIsUnchanged) {
  this->target_->execute("CREATE TABLE t (i int)");
  const std::string reply = test::copy_out_response() + test::copy_data("1\n") + test::notice("between") +
                            test::copy_data("2\n") + test::message('c', "") + test::complete("COPY 2") + test::ready();
  for (std::size_t kept = 0; kept <= reply.size(); ++kept) {
    const test::ScriptedServer server([&](test::ScriptedServer::Session& session) {
      session.read();
      session.write(std::string_view(reply).substr(0, kept));
    });
    pg::Connection source =
        pg::Connection::open(pg::ConnInfo::parse(server.conninfo(), Side::kSource), "test", Log(), CancelToken());
    const RelayRequest request{.copy_out = "COPY", .copy_in = "COPY t FROM STDIN", .flow = this->bytes_};
    if (kept == reply.size()) {
      EXPECT_EQ(this->relay_.run(source, *this->target_, request).target_rows, 2);
      continue;
    }
    try {
      this->relay_.run(source, *this->target_, request);
      ADD_FAILURE() << "taken for the whole: " << kept << " of " << reply.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.side(), Side::kSource) << kept;
      EXPECT_EQ(error.kind(), ErrorKind::kConnection) << kept;
    }
    // A row that was handed on in part ends the target's session as well.
    if (!this->target_->alive()) this->target_.emplace(test::shared_target().connect("relay", Side::kTarget));
    ASSERT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 0) << kept;
  }
  EXPECT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 2);
}

// The other way round: the target hangs up at each byte of its part.
TYPED_TEST(RelayTest, ATargetThatDiesAtAnyByteIsNeverTakenForDone) {
  const std::string reply = test::copy_in_response() + test::notice("taken") + test::complete("COPY 1") + test::ready();
  const std::string before_end = test::copy_in_response() + test::notice("taken");
  for (std::size_t kept = 0; kept < reply.size(); ++kept) {
    const test::ScriptedServer server([&](test::ScriptedServer::Session& session) {
      session.read();
      session.write(std::string_view(reply).substr(0, std::min(kept, before_end.size())));
      if (kept <= before_end.size()) return;
      for (auto received = session.read(); received && received->first != 'c';) received = session.read();
      session.write(std::string_view(reply).substr(before_end.size(), kept - before_end.size()));
    });
    pg::Connection target =
        pg::Connection::open(pg::ConnInfo::parse(server.conninfo(), Side::kTarget), "test", Log(), CancelToken());
    try {
      this->relay_.run(*this->source_, target,
                       {.copy_out = "COPY (SELECT 1) TO STDOUT", .copy_in = "COPY", .flow = this->bytes_});
      ADD_FAILURE() << "taken for done: " << kept << " of " << reply.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.side(), Side::kTarget) << kept << ": " << error.describe();
      EXPECT_EQ(error.kind(), ErrorKind::kConnection) << kept;
    }
    if (!this->source_->alive()) this->source_.emplace(test::shared_source().connect("relay", Side::kSource));
    EXPECT_TRUE(this->source_->idle());
  }
}

TYPED_TEST(RelayTest, ACancellationWhileTheTargetTakesNothingLeavesBothSides) {
  const test::ScriptedServer server([](test::ScriptedServer::Session& session) {
    session.read();
    session.write(test::copy_in_response());
    session.stay_silent();
  });
  CancelSource cancel;
  const auto open = [&](const std::string& conninfo, Side side) {
    return pg::Connection::open(pg::ConnInfo::parse(conninfo, side), "test", Log(), cancel.token());
  };
  pg::Connection source = open(test::shared_source().conninfo("relay"), Side::kSource);
  pg::Connection target = open(server.conninfo(), Side::kTarget);
  const std::jthread canceller([&] {
    while (this->bytes_ < 100000) std::this_thread::yield();
    cancel.cancel();
  });
  try {
    this->relay_.run(
        source, target,
        {.copy_out = "COPY (SELECT generate_series(1, 100000000)) TO STDOUT", .copy_in = "COPY", .flow = this->bytes_});
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  target.close();
  source.close();
  EXPECT_TRUE(test::wait_until([] {
    return test::shared_source().value("relay",
                                       "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
                                       " AND query LIKE '%100000000%' AND pid <> pg_backend_pid()") == "0";
  })) << "the source's session is still sending rows";
}

TYPED_TEST(RelayTest, CarriesRowsThroughTls) {
  const test::Cluster cluster({.tls = test::Cluster::Tls::kOffered});
  cluster.sql("postgres", "CREATE ROLE remote LOGIN SUPERUSER PASSWORD 'secret'");
  const auto open = [&](Side side) {
    const std::string conninfo = cluster.tcp_conninfo("postgres", "remote") + " password=secret sslmode=require";
    return pg::Connection::open(pg::ConnInfo::parse(conninfo, side), "test", Log(), CancelToken());
  };
  pg::Connection source = open(Side::kSource);
  pg::Connection target = open(Side::kTarget);
  target.execute("CREATE TABLE t (i int, v text)");
  const RelayOutcome outcome = this->relay_.run(
      source, target,
      {.copy_out = "COPY (SELECT i, repeat(chr(64 + i % 50), 50000 + i) FROM generate_series(1, 1000) i)"
                   " TO STDOUT",
       .copy_in = "COPY t FROM STDIN",
       .flow = this->bytes_});
  EXPECT_EQ(outcome.source_rows, 1000);
  EXPECT_EQ(outcome.target_rows, 1000);
  EXPECT_EQ(target.execute("SELECT count(*) FROM t WHERE v = repeat(chr(64 + i % 50), 50000 + i)")[0].integer(0), 1000);
}

TYPED_TEST(RelayTest, OtherStatementsMayStandBeforeTheCopy) {
  this->target_->execute("CREATE TABLE t (i int); INSERT INTO t VALUES (-1)");
  const pg::Transaction transaction(*this->target_);
  const RelayOutcome outcome =
      this->run("COPY (SELECT generate_series(1, 1000)) TO STDOUT", "TRUNCATE ONLY t; COPY t FROM STDIN WITH (FREEZE)");
  EXPECT_EQ(outcome.target_rows, 1000);
  EXPECT_EQ(this->target_->execute("SELECT count(*) FROM t")[0].integer(0), 1000);
}

TYPED_TEST(RelayTest, ManyStreamsFollowOneAnotherWithoutAWait) {
  this->target_->execute("CREATE TABLE t (stream int, v text)");
  std::vector<RelayRequest> requests;
  for (int i = 0; i < 300; ++i) {
    requests.push_back(
        {.copy_out = fmt::format("COPY (SELECT {}, repeat('x', n) FROM generate_series(1, {}) n) TO STDOUT", i,
                                 i % 7 == 0 ? 0 : i * 5),
         .copy_in = "COPY t FROM STDIN",
         .flow = this->bytes_});
  }
  const RelayResult result = this->relay_.run(*this->source_, *this->target_, requests);
  ASSERT_FALSE(result.error) << result.error->describe();
  ASSERT_EQ(result.outcomes.size(), 300);
  for (std::size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(result.outcomes[i].source_rows, static_cast<std::int64_t>(i % 7 == 0 ? 0 : i * 5));
    EXPECT_EQ(result.outcomes[i].target_rows, result.outcomes[i].source_rows);
  }
  EXPECT_TRUE(this->source_->idle() && this->target_->idle());
  EXPECT_EQ(this->target_
                ->execute("SELECT count(*) FROM (SELECT stream FROM t GROUP BY stream"
                          " HAVING count(*) <> stream * 5) wrong")[0]
                .integer(0),
            0);
}

TYPED_TEST(RelayTest, AStreamInTheMiddleThatFailsIsToldFromTheOthers) {
  this->target_->execute("CREATE TABLE t (i int CHECK (i <> 70000))");
  std::vector<RelayRequest> requests;
  for (int i = 0; i < 20; ++i) {
    requests.push_back(
        {.copy_out = fmt::format("COPY (SELECT {} + n FROM generate_series(1, 9999) n) TO STDOUT", i * 10000),
         .copy_in = "COPY t FROM STDIN",
         .flow = this->bytes_});
  }
  requests[9].copy_out = "COPY (SELECT 1 / (n - 5000) FROM generate_series(1, 9999) n) TO STDOUT";
  const RelayResult of_source = this->relay_.run(*this->source_, *this->target_, requests);
  ASSERT_TRUE(of_source.error);
  EXPECT_EQ(of_source.error->sqlstate(), "22012");
  EXPECT_EQ(of_source.failed, 9U);
  EXPECT_EQ(of_source.outcomes.size(), 9U);
  this->source_.emplace(test::shared_source().connect("relay", Side::kSource));
  this->target_.emplace(test::shared_target().connect("relay", Side::kTarget));
  requests[6].copy_out = "COPY (SELECT 69000 + n FROM generate_series(1, 9999) n) TO STDOUT";
  const RelayResult of_target = this->relay_.run(*this->source_, *this->target_, requests);
  ASSERT_TRUE(of_target.error);
  EXPECT_EQ(of_target.error->sqlstate(), "23514");
  EXPECT_EQ(of_target.failed, 6U);
}

TEST(MakeRelay, TakesTheWireWhereBothSocketsCanBeHad) {
  const pg::Connection source = test::shared_source().connect("postgres", Side::kSource);
  const pg::Connection target = test::shared_target().connect("postgres", Side::kTarget);
  EXPECT_NE(dynamic_cast<WireRelay*>(make_relay(source, target).get()), nullptr);
}

}  // namespace
}  // namespace pgsluice::copy
