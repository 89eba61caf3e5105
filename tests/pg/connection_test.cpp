#include "pg/connection.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/scripted_server.h"
#include "tests/support/sockets.h"

namespace pgsluice::pg {
namespace {

using test::shared_source;

Error error_of(const std::string& conninfo) {
  try {
    Connection::open(ConnInfo::parse(conninfo, Side::kSource), "test", Log(), CancelToken());
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::kInternal, "no error");
}

TEST(Release, IsInOrderAcrossTheChangeOfNumbering) {
  EXPECT_LT(release_of(90525), release_of(90624));
  EXPECT_LT(release_of(90624), release_of(100023));
  EXPECT_LT(release_of(140020), release_of(150001));
  EXPECT_EQ(release_of(150001), release_of(150018));
}

TEST(Connection, AValueThatIsNoneIsAMistakeOfTheUsers) {
  for (const char* conninfo : {"host=127.0.0.1 port=abc", "host=127.0.0.1 port=1 sslmode=perhaps", "port=0"}) {
    try {
      Connection::open(ConnInfo::parse(conninfo, Side::kSource), "test", Log(), {});
      ADD_FAILURE() << conninfo;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kUsage) << error.describe();
    }
  }
}

TEST(Connection, RunsStatementsAndTellsWhatItIsFor) {
  Connection connection = shared_source().connect("postgres");
  EXPECT_EQ(connection.execute("SELECT 1; SELECT current_setting('application_name')")[0].text(0), "pgsluice: test");
  const std::array<std::string, 2> parameters = {"it's", "2"};
  EXPECT_EQ(connection.execute("SELECT $1 || $2", parameters)[0].text(0), "it's2");
}

TEST(Connection, AnErrorCarriesSqlstateAndSideAndLeavesTheSessionUsable) {
  Connection connection = shared_source().connect("postgres", Side::kTarget);
  try {
    connection.execute("SELECT 1; SELECT 1/0; SELECT 2");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kServer);
    EXPECT_EQ(error.sqlstate(), "22012");
    EXPECT_EQ(error.side(), Side::kTarget);
    EXPECT_FALSE(error.poisons_connection());
  }
  EXPECT_EQ(connection.execute("SELECT 3")[0].integer(0), 3);
}

TEST(Connection, NamesAHostThatIsNotThere) {
  const Error error = error_of("host=no-such-host.invalid dbname=x user=y password=s3cr3t");
  EXPECT_EQ(error.kind(), ErrorKind::kConnection);
  EXPECT_NE(error.describe().find("no-such-host.invalid"), std::string::npos) << error.describe();
  EXPECT_EQ(error.describe().find("s3cr3t"), std::string::npos) << error.describe();
}

TEST(Connection, AWrongPasswordIsNeitherRetriedNorShown) {
  const Error error = error_of(shared_source().tcp_conninfo("postgres", "postgres") + " password=s3cr3t");
  EXPECT_EQ(error.kind(), ErrorKind::kServer);
  EXPECT_EQ(error.sqlstate(), "28P01");
  EXPECT_FALSE(error.is_retryable());
  EXPECT_EQ(error.describe().find("s3cr3t"), std::string::npos) << error.describe();
}

TEST(Connection, NamesAMissingDatabase) {
  const Error error = error_of(shared_source().conninfo("no_such_database"));
  EXPECT_EQ(error.sqlstate(), "3D000");
  EXPECT_NE(error.describe().find("no_such_database"), std::string::npos);
}

TEST(Connection, ARefusedPortSaysWhatToCheck) {
  const Error error = error_of("host=127.0.0.1 port=1 dbname=x user=y");
  EXPECT_EQ(error.kind(), ErrorKind::kConnection);
  EXPECT_NE(error.describe().find("listen_addresses"), std::string::npos) << error.describe();
}

TEST(Connection, AStatementEndsWithTheCancellationOnTheServerToo) {
  CancelSource source;
  Connection connection = Connection::open(ConnInfo::parse(shared_source().conninfo("postgres"), Side::kSource),
                                           "to be cancelled", Log(), source.token());
  std::thread canceller([&] {
    while (shared_source().value("postgres",
                                 "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgsluice: to be "
                                 "cancelled' AND state = 'active'") == "0") {
    }
    source.cancel();
  });
  try {
    connection.execute("SELECT pg_sleep(1000)");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  canceller.join();
  EXPECT_EQ(shared_source().value("postgres",
                                  "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgsluice: to be "
                                  "cancelled' AND state = 'active'"),
            "0");
}

TEST(Connection, ATerminatedBackendIsALostConnectionWithAReason) {
  Connection connection = shared_source().connect("postgres");
  const std::string pid(connection.execute("SELECT pg_backend_pid()")[0].text(0));
  shared_source().sql("postgres", "SELECT pg_terminate_backend(" + pid + ", 10000)");
  try {
    connection.execute("SELECT 1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConnection);
    EXPECT_TRUE(error.is_retryable());
    EXPECT_TRUE(error.poisons_connection());
  }
}

TEST(Connection, PinnedConninfoLeadsToTheSameServer) {
  Connection connection = shared_source().connect("postgres");
  const ConnInfo pinned = connection.pinned_conninfo();
  EXPECT_EQ(pinned.get("host"), shared_source().folder().string());
  Connection again = Connection::open(pinned, "again", Log(), CancelToken());
  EXPECT_EQ(again.execute("SELECT current_database()")[0].text(0), "postgres");
}

// As libpq reads it before it has a session: its text is in the language of the server's lc_messages.
TEST(Connection, ARefusalIsKnownByItsCodeInAnyLanguage) {
  const auto refused_with = [](const std::string& fields) {
    const FileDescriptor listener = test::listen_on_loopback();
    const std::jthread server([&] {
      const FileDescriptor client(::accept(listener.get(), nullptr, nullptr));
      char startup[1024];
      if (::recv(client.get(), startup, sizeof startup, 0) <= 0) return;
      const std::string reply = test::message('E', fields);
      ::send(client.get(), reply.data(), reply.size(), MSG_NOSIGNAL);
    });
    const std::string conninfo = fmt::format(
        "host=127.0.0.1 port={} user=a dbname=b sslmode=disable gssencmode=disable", test::port_of(listener));
    try {
      Connection::open(ConnInfo::parse(conninfo, Side::kTarget), "test", Log(), CancelToken());
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorKind::kInternal, "it was not refused");
  };
  using namespace std::string_literals;
  const Error full = refused_with(
      "SFATAL\0VFATAL\0C53300\0Mtut mir leid, schon zu viele Verbindungen\0Fproc.c\0L361\0RInitProcess\0\0"s);
  EXPECT_EQ(full.sqlstate(), "53300");
  EXPECT_TRUE(full.is_retryable());
  EXPECT_NE(full.describe().find("schon zu viele Verbindungen"), std::string::npos);
  EXPECT_EQ(full.describe().find("proc.c"), std::string::npos) << full.describe();
  EXPECT_NE(full.hint().find("max_connections"), std::string::npos);
  const Error missing = refused_with("SFATAL\0VFATAL\0C3D000\0MDatenbank \"b\" existiert nicht\0\0"s);
  EXPECT_EQ(missing.sqlstate(), "3D000");
  EXPECT_FALSE(missing.is_retryable());
  EXPECT_NE(missing.hint().find("CREATE DATABASE"), std::string::npos);
}

}  // namespace
}  // namespace pgsluice::pg
