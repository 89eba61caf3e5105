#include "pg/session_settings.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/cluster.h"
#include "tests/support/downloads.h"

namespace pgsluice::pg {
namespace {

using test::shared_source;

std::string setting(Connection& connection, const std::string& name) {
  return std::string(connection.execute("SHOW " + name)[0].text(0));
}

class SettingsOfADatabase : public ::testing::Test {
 protected:
  SettingsOfADatabase() {
    const test::Cluster& cluster = shared_source();
    cluster.create_database("settings");
    for (const char* change :
         {"DateStyle TO 'SQL, DMY'", "IntervalStyle TO 'sql_standard'", "extra_float_digits TO 0",
          "bytea_output TO 'escape'", "TimeZone TO 'Asia/Tokyo'", "row_security TO on", "array_nulls TO off",
          "xmloption TO 'document'", "transform_null_equals TO on", "statement_timeout TO '1s'", "lock_timeout TO '1s'",
          "search_path TO 'other'", "standard_conforming_strings TO off", "default_transaction_read_only TO on",
          "idle_in_transaction_session_timeout TO '1s'", "synchronous_commit TO on", "quote_all_identifiers TO on",
          "default_transaction_isolation TO 'serializable'", "client_min_messages TO 'error'"}) {
      cluster.sql("postgres", std::string("ALTER DATABASE settings SET ") + change);
    }
  }

  using Expected = std::map<std::string, std::string>;
  static void expect_settings(SessionPurpose purpose, const Expected& expected) {
    Connection connection = shared_source().connect("settings");
    apply_session_settings(connection, purpose, "LATIN1");
    for (const auto& [name, value] : expected) EXPECT_EQ(setting(connection, name), value) << name;
  }
};

const std::map<std::string, std::string> kOfEverySession = {{"row_security", "off"},
                                                            {"statement_timeout", "0"},
                                                            {"lock_timeout", "0"},
                                                            {"idle_in_transaction_session_timeout", "0"},
                                                            {"search_path", ""},
                                                            {"default_transaction_isolation", "read committed"},
                                                            {"client_min_messages", "notice"},
                                                            {"jit", "off"},
                                                            {"client_encoding", "LATIN1"}};

TEST_F(SettingsOfADatabase, AreOverriddenWhereTextIsReadThatTravels) {
  expect_settings(SessionPurpose::kRead, kOfEverySession);
  expect_settings(SessionPurpose::kRead, {{"DateStyle", "ISO, YMD"},
                                          {"IntervalStyle", "postgres"},
                                          {"extra_float_digits", "3"},
                                          {"bytea_output", "hex"},
                                          {"TimeZone", "UTC"},
                                          {"array_nulls", "on"},
                                          {"xmloption", "content"},
                                          {"transform_null_equals", "off"},
                                          {"quote_all_identifiers", "off"}});
}

// Users' expressions are evaluated there.
TEST_F(SettingsOfADatabase, StayOnTheTargetWhereValuesOfExpressionsDependOnThem) {
  expect_settings(SessionPurpose::kWrite, kOfEverySession);
  expect_settings(SessionPurpose::kWrite, {{"standard_conforming_strings", "on"},
                                           {"default_transaction_read_only", "off"},
                                           {"synchronous_commit", "off"},
                                           {"check_function_bodies", "off"},
                                           {"DateStyle", "SQL, DMY"},
                                           {"IntervalStyle", "sql_standard"},
                                           {"extra_float_digits", "0"},
                                           {"bytea_output", "escape"},
                                           {"TimeZone", "Asia/Tokyo"},
                                           {"array_nulls", "off"},
                                           {"transform_null_equals", "on"},
                                           {"quote_all_identifiers", "on"}});
}

// Each side finds out that the other is gone, and no administrator's limit ends a copy. Over TCP: a Unix socket has no
// keepalives.
TEST(SessionSettings, KeepTheLineAndTheTransaction) {
  const std::filesystem::path eighteen = test::server_programs(18);
  if (eighteen.empty()) GTEST_SKIP() << test::kNoDownloads;
  const test::Cluster cluster(
      {.settings = {"tcp_keepalives_idle = 7200", "tcp_keepalives_interval = 75", "tcp_keepalives_count = 9",
                    "tcp_user_timeout = 1000", "client_connection_check_interval = 0", "transaction_timeout = '1h'",
                    "idle_session_timeout = '1h'", "default_table_access_method = 'heap'"},
       .bindir = eighteen});
  cluster.sql("postgres",
              "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;"
              "CREATE ROLE remote SUPERUSER LOGIN PASSWORD 'secret'");
  cluster.sql("postgres", "ALTER SYSTEM SET default_table_access_method = 'other_heap'");
  cluster.sql("postgres", "SELECT pg_reload_conf()");
  Connection connection =
      Connection::open(ConnInfo::parse(cluster.tcp_conninfo("postgres", "remote") + " password=secret", Side::kTarget),
                       "test", Log(), {});
  while (setting(connection, "default_table_access_method") != "other_heap") continue;  // the reload has arrived
  apply_session_settings(connection, SessionPurpose::kWrite, "UTF8");
  EXPECT_EQ(setting(connection, "tcp_keepalives_idle"), "10");
  EXPECT_EQ(setting(connection, "tcp_keepalives_interval"), "10");
  EXPECT_EQ(setting(connection, "tcp_keepalives_count"), "60");
  EXPECT_EQ(setting(connection, "tcp_user_timeout"), "600000");
  EXPECT_EQ(setting(connection, "client_connection_check_interval"), "2s");
  EXPECT_EQ(setting(connection, "transaction_timeout"), "0");
  EXPECT_EQ(setting(connection, "idle_session_timeout"), "0");
  EXPECT_EQ(setting(connection, "default_table_access_method"), "heap");
  EXPECT_EQ(setting(connection, "session_replication_role"), "origin");
  // One that is read from waits as long as a copy is paused.
  apply_session_settings(connection, SessionPurpose::kRead, "UTF8");
  EXPECT_EQ(setting(connection, "tcp_user_timeout"), "0");
}

TEST(SessionSettings, ReadingSessionsScanFromTheFirstBlock) {
  Connection connection = shared_source().connect("postgres");
  apply_session_settings(connection, SessionPurpose::kRead, "UTF8");
  EXPECT_EQ(setting(connection, "synchronize_seqscans"), "off");
}

}  // namespace
}  // namespace pgsluice::pg
