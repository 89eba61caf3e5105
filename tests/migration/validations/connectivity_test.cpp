// AuthenticationAndConnectivityValidation: why a server cannot be reached, told apart on servers that have the fault.
#include <fstream>

#include "tests/migration/validation_fixture.h"
#include "tests/support/sockets.h"

namespace pgsluice::migration {
namespace {

class ConnectivityTest : public ValidationTest {
 protected:
  std::string said_of_source(const std::string& conninfo) {
    ValidationRequest wanted = request();
    wanted.source = conninfo;
    return said(wanted, "AuthenticationAndConnectivityValidation");
  }
};

TEST_F(ConnectivityTest, ServersThatAreReachedAreNamedWithVersionAndUser) {
  const std::string text = said(request(), "AuthenticationAndConnectivityValidation");
  EXPECT_THAT(text, HasSubstr("Succeeded: source: PostgreSQL 15"));
  EXPECT_THAT(text, HasSubstr("as postgres"));
  EXPECT_THAT(text, Not(HasSubstr("Failed")));
}

TEST_F(ConnectivityTest, OneServerUnderTwoNames) {
  ValidationRequest wanted = between(shared_source(), shared_source());
  wanted.target += " application_name=another";
  EXPECT_THAT(said(wanted, "AuthenticationAndConnectivityValidation"),
              HasSubstr("Failed: source and target are the same server"));
}

TEST_F(ConnectivityTest, APortThatNothingListensOn) {
  int port = 0;
  {
    const FileDescriptor socket = test::listen_on_loopback();
    port = test::port_of(socket);
  }
  const std::string text = said_of_source(fmt::format("host=127.0.0.1 port={} user=postgres", port));
  EXPECT_THAT(text, HasSubstr(fmt::format("Failed: source at 127.0.0.1:{} (127.0.0.1, private)", port)));
  EXPECT_THAT(text, HasSubstr("the host refuses the port"));
  EXPECT_THAT(text, HasSubstr("Succeeded: target"));
}

TEST_F(ConnectivityTest, AHostThatDoesNotAnswerGetsTheRowOfTheNetworks) {
  const FileDescriptor socket = test::listen_on_loopback();
  const std::string text = said_of_source(
      fmt::format("host=127.0.0.1 port={} user=postgres connect_timeout=2 sslmode=disable", test::port_of(socket)));
  EXPECT_THAT(text, HasSubstr("the host does not answer"));
  EXPECT_THAT(text, HasSubstr("Warning: source private, target private"));
}

TEST_F(ConnectivityTest, ANameThatNobodyKnows) {
  EXPECT_THAT(said_of_source("host=no-such-host.invalid user=postgres"), HasSubstr("the name is not known"));
}

TEST_F(ConnectivityTest, PasswordsThatAreMissingOrWrong) {
  const std::string server = shared_source().tcp_conninfo("postgres", kPlainUser);
  EXPECT_THAT(said_of_source(server), HasSubstr("the server asks for a password, and none was given: SourceServer"));
  EXPECT_THAT(said_of_source(server + " password=another"), HasSubstr("user or password are refused"));
  EXPECT_THAT(said_of_source(server + " password=" + kPassword), HasSubstr("Succeeded: source"));
}

TEST_F(ConnectivityTest, NoPlaceForAnotherSession) {
  shared_source().sql("postgres", fmt::format("ALTER ROLE {} CONNECTION LIMIT 0", kPlainUser));
  EXPECT_THAT(said_of_source(shared_source().conninfo("postgres", kPlainUser)),
              HasSubstr("the server has no connection free"));
}

TEST_F(ConnectivityTest, TlsThatTheServerDoesNotSpeak) {
  const std::string text =
      said_of_source(shared_source().tcp_conninfo("postgres", kPlainUser) + " sslmode=require password=" + kPassword);
  EXPECT_THAT(text, HasSubstr("TLS fails; sslMode says"));
}

TEST_F(ConnectivityTest, TheLineOfPgHbaThatIsMissingLetsTheUserIn) {
  Cluster server;
  server.sql("postgres", fmt::format("CREATE ROLE \"Odd User\" LOGIN PASSWORD '{}'", kPassword));
  const std::filesystem::path hba = server.folder() / "data/pg_hba.conf";
  std::ofstream(hba) << "local all all trust\n";
  server.sql("postgres", "SELECT pg_reload_conf()");
  const std::string conninfo = server.tcp_conninfo("postgres", "'Odd User'") + " sslmode=disable password=" + kPassword;
  const std::string text = said_of_source(conninfo);
  const std::string line = "host \"postgres\",\"validated\" \"Odd User\" 127.0.0.1/32 scram-sha-256";
  ASSERT_THAT(text, HasSubstr(line));
  std::ofstream(hba, std::ios::app) << line << "\n";
  server.sql("postgres", "SELECT pg_reload_conf()");
  EXPECT_THAT(said_of_source(conninfo), HasSubstr("Succeeded: source"));
}

}  // namespace
}  // namespace pgsluice::migration
