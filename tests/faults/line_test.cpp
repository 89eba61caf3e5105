// Whole clones over a line that fails at any byte: each ends equal, or says which side it has lost and ends equal when
// it is resumed. PGSLUICE_TEST_LINES says how many (default 16), PGSLUICE_TEST_SEED which ones.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/wait.h"
#include "pgsluice/clone.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/deadline.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/randomness.h"
#include "tests/support/recording_sink.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using pipeline::CloneOptions;
using pipeline::EarlierRun;

constexpr const char* kName = "line";

// Something of each kind that crosses in a way of its own, and no more bytes of rows than of statements, so that any
// byte is as likely to be a statement's as a row's.
constexpr const char* kDatabase = R"(
CREATE TABLE large (id bigint PRIMARY KEY, at timestamptz, text text);
INSERT INTO large SELECT g, now() - g * interval '1 s', repeat(md5(g::text), 4) FROM generate_series(1, 4000) g;
CREATE INDEX ON large (at);
CREATE INDEX ON large (md5(text));
CREATE TABLE heap AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 6000) g;
CREATE TABLE child (id serial PRIMARY KEY, large bigint REFERENCES large);
INSERT INTO child (large) SELECT g FROM generate_series(1, 2000) g;
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (500);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (500) TO (1000);
INSERT INTO parted SELECT generate_series(0, 999);
DO $$ BEGIN
  FOR i IN 1..20 LOOP
    EXECUTE format('CREATE TABLE small_%s (id serial PRIMARY KEY, word text UNIQUE)', i);
    EXECUTE format('INSERT INTO small_%s (word) SELECT ''w'' || g FROM generate_series(1, 50) g', i);
    EXECUTE format('COMMENT ON TABLE small_%s IS ''number %s''', i, i);
    EXECUTE format('GRANT SELECT ON small_%s TO public', i);
  END LOOP;
END $$;
CREATE MATERIALIZED VIEW counts AS SELECT large % 10 AS digit, count(*) FROM child GROUP BY 1;
CREATE UNIQUE INDEX ON counts (digit);
CREATE SEQUENCE lonely START 77; SELECT nextval('lonely');
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON child FOR EACH ROW EXECUTE FUNCTION nothing();
SELECT count(lo_from_bytea(0, decode(repeat(md5(g::text), 100), 'hex'))) FROM generate_series(1, 30) g;
ALTER DATABASE line SET work_mem = '5MB';
)";

struct FaultyLine {
  Side side = Side::kSource;
  Fault fault;
};

/// The bytes of a clone on which nothing happens, one way of a line.
struct Traffic {
  Side side = Side::kSource;
  Fault::Way way = Fault::Way::kToServer;
  std::int64_t bytes = 0;
  std::int64_t bytes_verified = 0;  // where it reads back what it has loaded
};

/// How a clone has ended.
struct End {
  std::optional<Error> error;
  /// What it says is missing, without an error.
  std::vector<std::string> missing;
};

class LineTest : public ::testing::Test {
 protected:
  LineTest() : source_(quiet()), target_(quiet()) {
    source_.create_database(kName);
    source_.sql(kName, kDatabase);
    source_.sql("postgres", "CHECKPOINT");
  }

  // Nothing that runs transactions by itself.
  static Cluster::Options quiet() { return {.settings = {"autovacuum = off"}, .initdb_arguments = {}}; }

  // Honest as yet.
  void lay_lines() {
    target_.create_database(kName);
    to_source_.emplace(source_);
    to_target_.emplace(target_);
  }
  FaultProxy& line_to(Side side) { return side == Side::kSource ? *to_source_ : *to_target_; }
  void take_lines_away() {
    to_source_.reset();
    to_target_.reset();
  }

  CloneOptions any_options(std::mt19937& random, const std::filesystem::path& folder) const {
    using copy::FormatWish;
    using copy::Transport;
    using When = copy::SplitOptions::When;
    CloneOptions result;
    result.source = to_source_->conninfo(kName);
    result.target = to_target_->conninfo(kName);
    result.work_folder = folder;
    result.retry_for = std::chrono::seconds(any_below(random, 4) == 0 ? 0 : 5);
    result.table_jobs = 1 + any_below(random, 3);
    result.index_jobs = 1 + any_below(random, 2);
    result.transport = any_of(random, std::array{Transport::kAuto, Transport::kPoll, Transport::kLibpq});
    result.format = any_of(random, std::array{FormatWish::kAuto, FormatWish::kText});
    result.split = {.when = any_of(random, std::array{When::kLarger, When::kLarger, When::kNever}),
                    .size = {100 * 1024},
                    .by_ctid = any_below(random, 2) == 0};
    result.verify = any_below(random, 2) == 0;
    return result;
  }

  // Within two minutes, or it is cancelled, and within another two all ends.
  End run(CloneOptions options, EarlierRun earlier) {
    options.earlier_run = earlier;
    pipeline::Clone clone(options, sink_);
    const Deadline deadline(std::chrono::seconds(120), [&] { clone.cancel(); });
    try {
      const pipeline::CloneSummary summary = clone.run();
      End end;
      for (const pipeline::FailedObject& failed : summary.failed) end.missing.push_back(failed.error.describe());
      for (const pipeline::LeftOutObject& left : summary.left_out) end.missing.push_back(left.name);
      return end;
    } catch (const Error& error) {
      EXPECT_FALSE(deadline.is_over()) << "the clone hangs";
      return {.error = error, .missing = {}};
    }
  }

  // Clones twice over honest lines.
  std::vector<Traffic> measure(std::mt19937& random) {
    std::vector<Traffic> traffic;
    for (const Side side : {Side::kSource, Side::kTarget}) {
      for (const Fault::Way way : kBothWays) traffic.push_back({.side = side, .way = way});
    }
    for (const bool verify : {false, true}) {
      const TemporaryFolder folder;
      lay_lines();
      CloneOptions options = any_options(random, folder.path());
      options.verify = verify;
      const End whole = run(options, EarlierRun::kRefuse);
      EXPECT_FALSE(whole.error) << whole.error->describe();
      EXPECT_EQ(differences(), std::vector<std::string>());
      for (Traffic& one : traffic) (verify ? one.bytes_verified : one.bytes) = line_to(one.side).passed(one.way);
    }
    return traffic;
  }

  // The next one, by somebody who does what the error of the first one says.
  End resume(const CloneOptions& options, const Fault& fault) {
    End end = run(options, EarlierRun::kResume);
    // Before there is a ledger nobody can tell a session that was lost from one of somebody else.
    if (fault.kind != Fault::Kind::kHalfOpen || !end.error || has_ledger()) return end;
    if (end.error->hint().find("pg_terminate_backend") == std::string::npos) return end;
    std::cout << "  by hand: " << end.error->describe() << "\n";
    target_.sql("postgres",
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice%'"
                " AND pid <> pg_backend_pid()");
    return run(options, EarlierRun::kResume);
  }

  bool has_ledger() const { return target_.value(kName, "SELECT to_regnamespace('pgsluice') IS NOT NULL") == "t"; }

  std::vector<std::string> differences() const {
    return compare_databases(source_.conninfo(kName), target_.conninfo(kName), server_bindir());
  }

  // No session of ours is left on either server.
  void expect_nothing_is_left() const {
    constexpr const char* kOurs =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgsluice: %'"
        " AND datname = 'line' AND pid <> pg_backend_pid()";
    for (const Cluster* server : {&source_, &target_}) {
      wait_until([&] { return server->value("postgres", kOurs) == "0"; });
      EXPECT_EQ(server->value("postgres", kOurs), "0") << (server == &source_ ? "source" : "target");
    }
  }

  // Returns what has happened, for people.
  std::string expect_the_property(const CloneOptions& options, const FaultyLine& line) {
    const std::size_t log_before = sink_.text().size();
    End end = run(options, EarlierRun::kRefuse);
    const bool met = line_to(line.side).has_happened();
    std::string story = met ? "" : "not met, ";
    if (!end.error) {
      const bool went_on = sink_.text().find("going on when the servers", log_before) != std::string::npos;
      story += went_on ? "went on by itself" : "ended without losing its sessions";
    } else {
      story += fmt::format("resumed after \"{}\"", end.error->describe());
      EXPECT_TRUE(met) << end.error->describe();
      EXPECT_EQ(end.error->side(), line.side) << end.error->describe();
      end = resume(options, line.fault);
    }
    EXPECT_FALSE(end.error) << end.error->describe();
    EXPECT_EQ(end.missing, std::vector<std::string>());
    EXPECT_EQ(differences(), std::vector<std::string>());
    EXPECT_FALSE(has_ledger());
    take_lines_away();  // with what they have kept half open
    expect_nothing_is_left();
    return story;
  }

  Cluster source_;
  Cluster target_;
  std::optional<FaultProxy> to_source_;
  std::optional<FaultProxy> to_target_;
  RecordingSink sink_;
};

// Each side, way and kind once before any comes again.
class Faults {
 public:
  Faults(std::vector<Traffic> traffic, std::mt19937& random) : traffic_(std::move(traffic)), random_(random) {}

  FaultyLine next(const CloneOptions& options) {
    if (deck_.empty()) shuffle();
    const auto [traffic, kind] = deck_.back();
    deck_.pop_back();
    const auto reach = any_below(random_, 3) == 0 ? Fault::Reach::kAllSessions : Fault::Reach::kSession;
    const std::int64_t byte = 1 + any_below(random_, options.verify ? traffic.bytes_verified : traffic.bytes);
    return {.side = traffic.side, .fault = {.kind = kind, .way = traffic.way, .byte = byte, .reach = reach}};
  }

 private:
  void shuffle() {
    for (const Traffic& traffic : traffic_) {
      for (const Fault::Kind kind : kAllFaults) deck_.emplace_back(traffic, kind);
    }
    for (std::size_t left = deck_.size(); left > 1; --left) std::swap(deck_[left - 1], deck_[any_below(random_, left)]);
  }

  std::vector<Traffic> traffic_;
  std::mt19937& random_;
  std::vector<std::pair<Traffic, Fault::Kind>> deck_;
};

TEST_F(LineTest, WhateverByteALineFailsAtTheCloneEndsEqualOrCanBeResumed) {
  const int lines = number_from_environment("PGSLUICE_TEST_LINES", 16);
  const int seed = test_seed();
  std::mt19937 random(static_cast<unsigned>(seed));
  Faults faults(measure(random), random);
  ASSERT_FALSE(HasFailure()) << "over honest lines";
  for (int i = 0; i < lines; ++i) {
    const TemporaryFolder folder;
    lay_lines();
    const CloneOptions options = any_options(random, folder.path());
    const FaultyLine line = faults.next(options);
    line_to(line.side).arm(line.fault);
    const std::string name = fmt::format("clone {}: {}, {}", i, to_string(line.side), describe(line.fault));
    SCOPED_TRACE(fmt::format("seed {}, {}", seed, name));
    const std::string log_before = sink_.text();
    const std::string story = expect_the_property(options, line);
    std::cout << name << ": " << story << std::endl;
    ASSERT_FALSE(HasFailure()) << sink_.text().substr(log_before.size());
  }
}

}  // namespace
}  // namespace pgsluice::test
