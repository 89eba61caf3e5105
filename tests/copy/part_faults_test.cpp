// A line to one of the servers that fails at any byte of a table's, or a part's, way. PGSLUICE_TEST_SEED says which.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <iostream>

#include "base/wait.h"
#include "copy/server_rows.h"
#include "copy/table_copy.h"
#include "pg/snapshot.h"
#include "pg/uring_io.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/deadline.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/randomness.h"
#include "tests/support/scripted_server.h"

namespace pgsluice::copy {
namespace {

using test::Fault;
using test::FaultProxy;

constexpr const char* kDatabase = "part_faults";
// More than the sockets hold.
constexpr const char* kRows =
    "INSERT INTO t SELECT g, now() - g * interval '1 s', repeat(md5(g::text), 10) FROM generate_series(1, 5000) g";

enum class Split { kWhole, kFrozen, kBlocks, kKeys };

std::string_view to_string(Split split) {
  switch (split) {
    case Split::kWhole:
      return "the whole table";
    case Split::kFrozen:
      return "the whole table with FREEZE";
    case Split::kBlocks:
      return "some blocks";
    case Split::kKeys:
      break;
  }
  return "some keys";
}

// What the rows cross by.
struct Line {
  Transport transport = Transport::kAuto;
  bool tls = false;
};

// Servers that take TLS, for the suite that wants it.
class TlsServers {
 public:
  TlsServers() {
    for (const test::Cluster* cluster : {&source_, &target_}) {
      cluster->sql("postgres", "ALTER ROLE postgres PASSWORD 'secret'");
    }
  }
  const test::Cluster& source() const { return source_; }
  const test::Cluster& target() const { return target_; }

 private:
  const test::Cluster source_{{.tls = test::Cluster::Tls::kOffered}};
  const test::Cluster target_{{.tls = test::Cluster::Tls::kOffered}};
};

// What is copied, and by which way.
struct Way {
  Line line;
  CopyFormat format = CopyFormat::kText;
  Split split = Split::kWhole;
};

// The bytes of a copy on which nothing happens.
struct Traffic {
  std::int64_t of_source[2];
  std::int64_t of_target[2];

  std::int64_t of(Side side, Fault::Way way) const {
    return (side == Side::kSource ? of_source : of_target)[way == Fault::Way::kToServer ? 0 : 1];
  }
};

struct Outcome {
  CopyTablesResult result;
  Traffic traffic;
  bool fault_has_happened = false;
};

// How many bytes the target's answer to the COMMIT has, with that of the ledger in front of it.
std::int64_t size_of_the_last_answer() {
  return static_cast<std::int64_t>((test::complete("UPDATE 1") + test::complete("COMMIT") + test::ready()).size());
}

// Ends and beginnings are where the statements are.
std::int64_t any_byte(std::mt19937& random, std::int64_t bytes) {
  constexpr std::int64_t kNear = 400;
  const std::int64_t near = std::min(kNear, bytes);
  switch (test::any_below(random, 4)) {
    case 0:
      return 1 + test::any_below(random, near);
    case 1:
      return bytes - test::any_below(random, near);
    default:
      return 1 + test::any_below(random, bytes);
  }
}

class PartFaults : public ::testing::TestWithParam<Line> {
 protected:
  static void TearDownTestSuite() { tls_servers_.reset(); }

  PartFaults() {
    if (GetParam().tls && !tls_servers_) tls_servers_ = std::make_unique<TlsServers>();
    constexpr const char* kTable = "CREATE TABLE t (id bigint, at timestamptz, text text)";
    server(Side::kSource).create_database(kDatabase);
    server(Side::kTarget).create_database(kDatabase);
    server(Side::kSource).sql(kDatabase, fmt::format("{}; ALTER TABLE t ADD PRIMARY KEY (id); {}", kTable, kRows));
    server(Side::kTarget).sql(kDatabase, kTable);
    source_.emplace(server(Side::kSource).connect(kDatabase, Side::kSource));
    target_.emplace(server(Side::kTarget).connect(kDatabase, Side::kTarget));
    target_->execute("SET lock_timeout = '10s'");
    create_ledger(*target_, "part faults");
    source_->execute("BEGIN");
    catalog_ = schema::read_catalog(*source_);
    span_ = read_key_span(*source_, table());
    source_->execute("COMMIT");
  }

  static const test::Cluster& server(Side side) {
    if (GetParam().tls) return side == Side::kSource ? tls_servers_->source() : tls_servers_->target();
    return side == Side::kSource ? test::shared_source() : test::shared_target();
  }
  static test::ServerPlace place(Side side) {
    if (!GetParam().tls) return {.unix_socket = server(side).socket_path()};
    return {.port = server(side).port(), .login = "user=postgres password=secret sslmode=require"};
  }

  const schema::Relation& table() const { return catalog_.relations.at(0); }

  RowRange range_of(Split split) const {
    const Bytes heap = table().heap_size;
    const Bytes third{heap.count / 3};
    if (split == Split::kBlocks) return ranges_of_blocks(equal_sizes(heap, third, 0), heap, catalog_.block_size).at(1);
    if (split == Split::kKeys) return ranges_of_keys(equal_sizes(heap, third, 0), table().integer_key, *span_).at(2);
    return {};
  }

  static pg::Connection open(const FaultProxy& line, Side side, const CancelToken& cancel) {
    return pg::Connection::open(pg::ConnInfo::parse(line.conninfo(kDatabase), side), "part", Log(), cancel);
  }

  // With sessions of its own, which are gone from the target at the end.
  Outcome copy(const Way& way, Side side = Side::kSource, const std::optional<Fault>& fault = std::nullopt) {
    FaultProxy to_source(place(Side::kSource));
    FaultProxy to_target(place(Side::kTarget));
    CancelSource cancel;
    const test::Deadline deadline(std::chrono::seconds(120), [&] { cancel.cancel(); });
    pg::Connection source = open(to_source, Side::kSource, cancel.token());
    pg::Connection target = open(to_target, Side::kTarget, cancel.token());
    pg::export_snapshot(source);
    const Backend backend = register_session(target);
    const std::unique_ptr<Relay> relay = make_relay(source, target, way.line.transport);
    to_source.arm(side == Side::kSource ? fault : std::nullopt);
    to_target.arm(side == Side::kTarget ? fault : std::nullopt);
    Outcome outcome{
        .result = copy_tables_of(way, source, target, *relay),
        .traffic = {.of_source = {to_source.passed(Fault::Way::kToServer), to_source.passed(Fault::Way::kToClient)},
                    .of_target = {to_target.passed(Fault::Way::kToServer), to_target.passed(Fault::Way::kToClient)}},
        .fault_has_happened = to_source.has_happened() || to_target.has_happened()};
    source.close();
    target.close();
    const bool lives_on = side == Side::kTarget && fault && fault->kind == Fault::Kind::kHalfOpen;
    if (lives_on) end_sessions(*target_, {backend});
    await_end(backend);
    return outcome;
  }

  CopyTablesResult copy_tables_of(const Way& way, pg::Connection& source, pg::Connection& target, Relay& relay) {
    std::atomic<std::int64_t> bytes{0};
    const TableCopy one{.table = table(),
                        .into = table(),
                        .format = way.format,
                        .loading = way.split == Split::kFrozen ? Loading::kFreeze : Loading::kAppend,
                        .range = range_of(way.split),
                        .flow = bytes,
                        .in_ledger = true,
                        .digested = way.format == CopyFormat::kBinary};
    ServerRows rows(source, relay);
    return copy_tables(rows, target, {&one, 1});
  }

  void await_end(const Backend& backend) {
    const std::string lives = fmt::format("SELECT FROM pg_stat_activity WHERE pid = {}", backend.pid);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!target_->execute(lives).empty()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "the target's session does not end by itself";
      wait_for({}, {}, std::chrono::milliseconds(1));
    }
  }

  static std::string rows(pg::Connection& connection, const std::string& condition) {
    const std::string query =
        "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',' ORDER BY id)), '') FROM t";
    return std::string(connection.execute(query + (condition.empty() ? "" : " WHERE " + condition))[0].text(0));
  }
  std::string rows_of_target() { return rows(*target_, ""); }
  // With what the ledger says of them.
  std::string ledger() {
    return std::string(target_
                           ->execute("SELECT coalesce(string_agg(coalesce(rows::text, 'none'), ','), '')"
                                     " FROM pgsluice.part")[0]
                           .text(0));
  }
  void empty_target() { target_->execute("TRUNCATE t; DELETE FROM pgsluice.part; DELETE FROM pgsluice.session"); }

  // Nothing of the part is there, or all of it and its row in the ledger.
  void expect_all_or_nothing(const Way& way, bool may_be_there, bool has_to_be_there) {
    const std::string there = rows_of_target();
    if (there == "0 ") {
      EXPECT_FALSE(has_to_be_there) << "the part is not there";
      EXPECT_EQ(ledger(), "");
      return;
    }
    EXPECT_TRUE(may_be_there) << "the part is there in spite of the error";
    const std::string expected = rows(*source_, range_of(way.split).condition());
    EXPECT_EQ(there, expected);
    EXPECT_EQ(ledger(), expected.substr(0, expected.find(' ')));
  }

  void expect_the_property(const Way& way, Side side, const Fault& fault, const Traffic& whole) {
    empty_target();
    const Outcome outcome = copy(way, side, fault);
    // How many bytes TLS adds depends on how the rows are cut into its records.
    EXPECT_TRUE(outcome.fault_has_happened || way.line.tls);
    const std::optional<Error>& error = outcome.result.error;
    if (!error) return expect_all_or_nothing(way, true, true);
    EXPECT_NE(fault.kind, Fault::Kind::kDelay) << error->describe();
    EXPECT_EQ(error->side(), side) << error->describe();
    EXPECT_EQ(error->object(), "table public.t") << error->describe();
    EXPECT_TRUE(error->is_retryable()) << error->describe();
    EXPECT_TRUE(outcome.result.copied.empty());
    // COMMIT is the last thing to be sent, and its answer the last one to come.
    const std::int64_t bytes = whole.of(side, fault.way);
    const bool commit_was_sent =
        fault.byte >= (fault.way == Fault::Way::kToServer ? bytes : bytes - size_of_the_last_answer());
    expect_all_or_nothing(way, side == Side::kTarget && (commit_was_sent || way.line.tls), false);
  }

  static std::unique_ptr<TlsServers> tls_servers_;
  schema::Catalog catalog_;
  std::optional<KeySpan> span_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
};

std::unique_ptr<TlsServers> PartFaults::tls_servers_;

TEST_P(PartFaults, WhateverByteTheLineFailsAtThePartIsThereWholeOrNotAtAll) {
  if (const auto reason = pg::UringIo::unavailable_because(); reason && GetParam().transport == Transport::kIoUring) {
    std::cerr << "io_uring is not tested here: " << *reason << '\n';
  }
  std::mt19937 random(static_cast<unsigned>(test::test_seed()));
  for (const CopyFormat format : {CopyFormat::kText, CopyFormat::kBinary}) {
    for (const Split split : {Split::kWhole, Split::kFrozen, Split::kBlocks, Split::kKeys}) {
      const Way way{.line = GetParam(), .format = format, .split = split};
      empty_target();
      const Outcome whole = copy(way);
      ASSERT_FALSE(whole.result.error) << whole.result.error->describe();
      expect_all_or_nothing(way, true, true);
      for (const Side side : {Side::kSource, Side::kTarget}) {
        for (const Fault::Way direction : test::kBothWays) {
          for (const Fault::Kind kind : test::kAllFaults) {
            const std::int64_t bytes = whole.traffic.of(side, direction);
            const Fault fault{.kind = kind, .way = direction, .byte = any_byte(random, bytes)};
            SCOPED_TRACE(fmt::format("{} in {}, {}: {} of {} of the {}", to_string(split), copy::to_string(format),
                                     describe(fault), fault.byte, bytes, to_string(side)));
            expect_the_property(way, side, fault, whole.traffic);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// In the clear: of half a record of TLS nothing is known.
class CommitFaults : public PartFaults {};

// Once a byte of the answer has come, the commit is done.
TEST_P(CommitFaults, AnAnswerToCommitThatComesInPartIsAnErrorAndThePartIsThereWithItsRowInTheLedger) {
  const Way way{.line = GetParam()};
  empty_target();
  const std::int64_t bytes = copy(way).traffic.of(Side::kTarget, Fault::Way::kToClient);
  for (std::int64_t missing = 1; missing < size_of_the_last_answer(); missing += 3) {
    SCOPED_TRACE(fmt::format("{} bytes are missing", missing));
    empty_target();
    const Fault fault{.kind = Fault::Kind::kTruncate, .way = Fault::Way::kToClient, .byte = bytes - missing};
    const Outcome outcome = copy(way, Side::kTarget, fault);
    ASSERT_TRUE(outcome.result.error);
    EXPECT_EQ(outcome.result.error->side(), Side::kTarget);
    EXPECT_TRUE(outcome.result.error->is_retryable());
    expect_all_or_nothing(way, true, true);
  }
}

std::string name_of(const ::testing::TestParamInfo<Line>& of) {
  const std::string tls = of.param.tls ? "Tls" : "";
  switch (of.param.transport) {
    case Transport::kLibpq:
      return "Libpq" + tls;
    case Transport::kPoll:
      return "Poll" + tls;
    case Transport::kIoUring:
      return "IoUring" + tls;
    case Transport::kAuto:
      break;
  }
  return "Auto" + tls;
}

INSTANTIATE_TEST_SUITE_P(Lines, PartFaults,
                         ::testing::Values(Line{Transport::kLibpq}, Line{Transport::kPoll}, Line{Transport::kIoUring},
                                           Line{Transport::kAuto, true}, Line{Transport::kLibpq, true}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Lines, CommitFaults,
                         ::testing::Values(Line{Transport::kLibpq}, Line{Transport::kPoll}, Line{Transport::kIoUring}),
                         name_of);

}  // namespace
}  // namespace pgsluice::copy
