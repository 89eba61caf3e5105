#include "pgsluice/pg/session_settings.h"

#include <gtest/gtest.h>

#include "support/cluster.h"
#include "support/downloads.h"

namespace pgsluice::pg {
namespace {

using test::shared_source;

std::string setting(Connection& connection, const std::string& name) {
  return std::string(connection.execute("SHOW " + name)[0].text(0));
}

TEST(SessionSettings, OverrideADatabaseWhoseDefaultsDiffer) {
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
  Connection connection = cluster.connect("settings");
  apply_session_settings(connection, SessionPurpose::kWrite, "LATIN1");
  EXPECT_EQ(setting(connection, "DateStyle"), "ISO, YMD");
  EXPECT_EQ(setting(connection, "IntervalStyle"), "postgres");
  EXPECT_EQ(setting(connection, "extra_float_digits"), "3");
  EXPECT_EQ(setting(connection, "bytea_output"), "hex");
  EXPECT_EQ(setting(connection, "TimeZone"), "UTC");
  EXPECT_EQ(setting(connection, "row_security"), "off");
  EXPECT_EQ(setting(connection, "array_nulls"), "on");
  EXPECT_EQ(setting(connection, "xmloption"), "content");
  EXPECT_EQ(setting(connection, "transform_null_equals"), "off");
  EXPECT_EQ(setting(connection, "statement_timeout"), "0");
  EXPECT_EQ(setting(connection, "lock_timeout"), "0");
  EXPECT_EQ(setting(connection, "idle_in_transaction_session_timeout"), "0");
  EXPECT_EQ(setting(connection, "search_path"), "");
  EXPECT_EQ(setting(connection, "standard_conforming_strings"), "on");
  EXPECT_EQ(setting(connection, "default_transaction_read_only"), "off");
  EXPECT_EQ(setting(connection, "synchronous_commit"), "off");
  EXPECT_EQ(setting(connection, "quote_all_identifiers"), "off");
  EXPECT_EQ(setting(connection, "default_transaction_isolation"), "read committed");
  EXPECT_EQ(setting(connection, "client_min_messages"), "notice");
  EXPECT_EQ(setting(connection, "client_encoding"), "LATIN1");
  EXPECT_EQ(setting(connection, "check_function_bodies"), "off");
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
}

TEST(SessionSettings, ReadingSessionsScanFromTheFirstBlock) {
  Connection connection = shared_source().connect("postgres");
  apply_session_settings(connection, SessionPurpose::kRead, "UTF8");
  EXPECT_EQ(setting(connection, "synchronize_seqscans"), "off");
}

}  // namespace
}  // namespace pgsluice::pg
