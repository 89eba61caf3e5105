#include "tests/support/fault_proxy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>

#include "base/wait.h"
#include "pgsluice/error.h"
#include "tests/support/scripted_server.h"
#include "tests/support/wait_until.h"

namespace pgsluice::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kToServer = Fault::Way::kToServer;
constexpr auto kToClient = Fault::Way::kToClient;

std::string query(const std::string& sql) { return message('Q', sql + '\0'); }

class FaultProxyTest : public ::testing::Test {
 protected:
  FaultProxyTest() { shared_target().create_database("faulty"); }

  pg::Connection connect() const {
    return pg::Connection::open(pg::ConnInfo::parse(line_->conninfo("faulty"), Side::kTarget), "faulty", Log(),
                                CancelToken());
  }

  static void send(const pg::Connection& connection, const std::string& bytes) {
    ::send(PQsocket(connection.handle()), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  static constexpr milliseconds kSilence{500};     // of a line that stays open
  static constexpr milliseconds kLongest{10'000};  // where an end is to come

  struct Received {
    std::string bytes;
    int error = 0;  // ECONNRESET, 0 for an end in order, ETIMEDOUT for a line that is still open
  };
  // Until the line ends, or is silent for so long.
  static Received receive(const pg::Connection& connection, milliseconds silence = kLongest) {
    Received received;
    char piece[4096];
    while (true) {
      std::array<WaitFor, 1> set{WaitFor{.fd = PQsocket(connection.handle()), .want_read = true}};
      if (wait_for(set, {}, silence) == WaitResult::kTimeout) {
        received.error = ETIMEDOUT;
        return received;
      }
      const ssize_t count = ::recv(PQsocket(connection.handle()), piece, sizeof piece, 0);
      received.error = count < 0 ? errno : 0;
      if (count <= 0) return received;
      received.bytes.append(piece, static_cast<std::size_t>(count));
    }
  }

  static bool is_true_soon(const std::string& condition) {
    return wait_until([&] { return shared_target().value("faulty", "SELECT " + condition) == "t"; });
  }
  static bool backends_are_gone() {
    return is_true_soon("NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgsluice: faulty')");
  }
  static bool has_table(const std::string& name) {
    return shared_target().value("faulty", fmt::format("SELECT to_regclass('{}') IS NOT NULL", name)) == "t";
  }

  // What the client gets of a long answer.
  Received answer_with(Fault::Kind kind) {
    pg::Connection connection = connect();
    line_->arm(Fault{.kind = kind, .way = kToClient, .byte = 500});
    send(connection, query("SELECT repeat('x', 1000)"));
    Received received = receive(connection, kind == Fault::Kind::kDelay ? kSilence : kLongest);
    EXPECT_TRUE(line_->has_happened());
    return received;
  }

  std::optional<FaultProxy> line_{std::in_place, shared_target()};
};

TEST_F(FaultProxyTest, IsAnHonestLineBeforeAndAfterItsFault) {
  line_->arm(Fault{.kind = Fault::Kind::kCut, .way = kToClient, .byte = 1'000'000});
  EXPECT_EQ(connect().execute("SELECT repeat('x', 500000)")[0].text(0).size(), 500000U);
  EXPECT_FALSE(line_->has_happened());
  EXPECT_THROW(connect().execute("SELECT repeat('x', 500000)"), Error);
  EXPECT_TRUE(line_->has_happened());
  EXPECT_EQ(connect().execute("SELECT repeat('x', 2000000)")[0].text(0).size(), 2000000U);
}

TEST_F(FaultProxyTest, CountsTheBytesOfBothWaysFromItsArmingOn) {
  pg::Connection connection = connect();
  line_->arm(std::nullopt);
  connection.execute("SELECT");
  EXPECT_EQ(line_->passed(kToServer), static_cast<std::int64_t>(query("SELECT").size()));
  EXPECT_GT(line_->passed(kToClient), static_cast<std::int64_t>(complete("SELECT 1").size()));
  EXPECT_LT(line_->passed(kToClient), 100);
}

TEST_F(FaultProxyTest, ADelayTakesTimeAndNoByte) {
  const auto begin = steady_clock::now();
  EXPECT_GT(answer_with(Fault::Kind::kDelay).bytes.size(), 1000U);
  EXPECT_GE(steady_clock::now() - begin, milliseconds(100));
}

TEST_F(FaultProxyTest, ACutEndsBothSidesInOrderBehindTheByte) {
  const Received received = answer_with(Fault::Kind::kCut);
  EXPECT_EQ(received.bytes.size(), 500U);
  EXPECT_EQ(received.error, 0);
  EXPECT_TRUE(backends_are_gone());
}

TEST_F(FaultProxyTest, AResetIsOne) {
  const Received received = answer_with(Fault::Kind::kReset);
  EXPECT_LE(received.bytes.size(), 500U);
  EXPECT_EQ(received.error, ECONNRESET);
  EXPECT_TRUE(backends_are_gone());
}

TEST_F(FaultProxyTest, ATruncationToTheClientLeavesTheOtherWayOpen) {
  pg::Connection connection = connect();
  line_->arm(Fault{.kind = Fault::Kind::kTruncate, .way = kToClient, .byte = 500});
  send(connection, query("SELECT repeat('x', 1000)"));
  const Received received = receive(connection);
  EXPECT_EQ(received.bytes.size(), 500U);
  EXPECT_EQ(received.error, 0);
  send(connection, query("CREATE TABLE after ()"));
  EXPECT_TRUE(is_true_soon("to_regclass('after') IS NOT NULL"));
  connection.close();
  EXPECT_TRUE(backends_are_gone());
}

TEST_F(FaultProxyTest, ATruncationToTheServerLeavesTheOtherWayOpen) {
  pg::Connection connection = connect();
  const std::string first = query("CREATE TABLE before (); SELECT repeat('x', 1000) FROM pg_sleep(0.1)");
  line_->arm(
      Fault{.kind = Fault::Kind::kTruncate, .way = kToServer, .byte = static_cast<std::int64_t>(first.size()) + 9});
  send(connection, first + query("CREATE TABLE after ()"));
  const Received received = receive(connection);
  EXPECT_GT(received.bytes.size(), 1000U);
  EXPECT_EQ(received.error, 0);
  EXPECT_TRUE(backends_are_gone());
  EXPECT_TRUE(has_table("before"));
  EXPECT_FALSE(has_table("after"));
}

TEST_F(FaultProxyTest, BehindAHalfOpenLineTheServerWorksOn) {
  pg::Connection connection = connect();
  pg::Connection gate = shared_target().connect("faulty");
  gate.execute("SELECT pg_advisory_lock(1)");
  const std::string work = query("BEGIN; CREATE TABLE late (); SELECT pg_advisory_lock(1); COMMIT");
  line_->arm(Fault{.kind = Fault::Kind::kHalfOpen, .way = kToServer, .byte = static_cast<std::int64_t>(work.size())});
  send(connection, work);
  EXPECT_EQ(receive(connection).error, ECONNRESET);
  EXPECT_FALSE(has_table("late"));
  gate.execute("SELECT pg_advisory_unlock(1)");
  EXPECT_TRUE(is_true_soon("to_regclass('late') IS NOT NULL"));
  connection.close();
  EXPECT_TRUE(
      is_true_soon("EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgsluice: faulty'"
                   " AND state = 'idle')"));
  line_.reset();
  EXPECT_TRUE(backends_are_gone());
}

TEST_F(FaultProxyTest, MayStrikeAllSessionsAtOnce) {
  for (const Fault::Reach reach : {Fault::Reach::kSession, Fault::Reach::kAllSessions}) {
    pg::Connection one = connect();
    pg::Connection other = connect();
    line_->arm(Fault{.kind = Fault::Kind::kReset, .way = kToServer, .byte = 3, .reach = reach});
    EXPECT_THROW(one.execute("SELECT"), Error);
    EXPECT_EQ(receive(other, reach == Fault::Reach::kSession ? kSilence : kLongest).error,
              reach == Fault::Reach::kSession ? ETIMEDOUT : ECONNRESET);
  }
}

}  // namespace
}  // namespace pgsluice::test
