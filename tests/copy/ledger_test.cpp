#include "copy/ledger.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "copy/table_copy.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/wait_until.h"

namespace pgsluice::copy {
namespace {

// A line may fail right after the commit: whoever resumes has to know the session that is left, and keeps the target.
TEST(Ledger, TheSessionThatMakesItStandsInIt) {
  test::shared_target().create_database("ledger");
  pg::Connection target = test::shared_target().connect("ledger", Side::kTarget);
  const Backend own = create_ledger(target, "what it is");
  EXPECT_EQ(std::to_string(own.pid), target.execute("SELECT pg_backend_pid()")[0].text(0));
  const std::vector<Backend> sessions = read_sessions(target);
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].pid, own.pid);
  EXPECT_EQ(sessions[0].started, own.started);
}

TEST(Ledger, OfAnotherVersionIsNotTakenForAnEmptyOne) {
  test::shared_target().create_database("ledger");
  pg::Connection target = test::shared_target().connect("ledger", Side::kTarget);
  EXPECT_FALSE(read_ledger(target));
  create_ledger(target, "what it is");
  EXPECT_EQ(read_ledger(target)->run, "what it is");
  target.execute("ALTER TABLE pgsluice.task RENAME TO step");
  try {
    read_ledger(target);
    FAIL() << "it was read";
  } catch (const Error& error) {
    EXPECT_NE(error.describe().find("another version of pgsluice"), std::string::npos) << error.describe();
  }
}

// A run that was killed at its very end may still be dropping it.
TEST(Ledger, ThatIsDroppedWhileItIsReadIsNone) {
  test::shared_target().create_database("ledger");
  pg::Connection target = test::shared_target().connect("ledger", Side::kTarget);
  create_ledger(target, "what it is");
  pg::Connection other = test::shared_target().connect("ledger", Side::kTarget);
  other.execute("BEGIN; DROP SCHEMA pgsluice CASCADE");
  std::jthread ends([&] {
    const char* waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'ledger' AND wait_event_type = 'Lock'";
    EXPECT_TRUE(test::wait_until([&] { return test::shared_target().value("postgres", waits) == "1"; }));
    other.execute("COMMIT");
  });
  EXPECT_FALSE(read_ledger(target));
}

LedgerPart some_part() {
  schema::Relation table;
  table.oid = 4711;
  table.file_node = 4712;
  return ledger_part(table, {});
}

// A backend that nobody knows of any more may go on and commit: its row keeps the part from being loaded again.
TEST(Ledger, APartIsLoadedOnceWhoeverElseIsAtIt) {
  test::shared_target().create_database("ledger");
  pg::Connection forgotten = test::shared_target().connect("ledger", Side::kTarget);
  create_ledger(forgotten, "what it is");
  forgotten.execute("BEGIN; " + part_sql(some_part()));
  std::string sqlstate;
  std::jthread other([&] {
    pg::Connection session = test::shared_target().connect("ledger", Side::kTarget);
    try {
      session.execute("BEGIN; " + part_sql(some_part()));
    } catch (const Error& error) {
      sqlstate = error.sqlstate();
    }
  });
  const char* waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'ledger' AND wait_event_type = 'Lock'";
  EXPECT_TRUE(test::wait_until([&] { return test::shared_target().value("postgres", waits) == "1"; }));
  forgotten.execute("COMMIT");
  other.join();
  EXPECT_EQ(sqlstate, "23505");
  EXPECT_EQ(test::shared_target().value("ledger", "SELECT count(*) FROM pgsluice.part"), "1");
}

TEST(Ledger, SessionsThatAreLeftAreEndedAndWaitedFor) {
  test::shared_target().create_database("ledger");
  pg::Connection target = test::shared_target().connect("ledger", Side::kTarget);
  create_ledger(target, "what it is");
  pg::Connection busy = test::shared_target().connect("ledger", Side::kTarget);
  const Backend left = register_session(busy);
  std::jthread work([&] { EXPECT_THROW(busy.execute("BEGIN; CREATE TABLE half (); SELECT pg_sleep(60)"), Error); });
  const std::string is_busy =
      fmt::format("SELECT count(*) FROM pg_stat_activity WHERE pid = {} AND wait_event = 'PgSleep'", left.pid);
  EXPECT_TRUE(test::wait_until([&] { return test::shared_target().value("postgres", is_busy) == "1"; }));
  end_sessions(target, {left});
  EXPECT_EQ(test::shared_target().value("postgres",
                                        fmt::format("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", left.pid)),
            "0");
  EXPECT_EQ(test::shared_target().value("ledger", "SELECT to_regclass('half') IS NULL"), "t");
}

}  // namespace
}  // namespace pgsluice::copy
