// `serve` and its workers act for whoever sent a request. What their own user has for PostgreSQL is not lent.
#include "migration/http/own_credentials.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <httplib.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/subprocess.h"
#include "pgsluice/error.h"
#include "tests/support/cluster.h"
#include "tests/support/sockets.h"
#include "tests/support/wait_until.h"

namespace pgsluice::migration {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* kPassword = "s3cret-of-the-service";

class OwnCredentialsTest : public ::testing::Test {
 protected:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  OwnCredentialsTest() : cluster_({.tls = test::Cluster::Tls::kOffered}) {
    cluster_.sql("postgres", fmt::format("CREATE ROLE admin SUPERUSER LOGIN PASSWORD '{}'", kPassword));
    cluster_.create_database("shop");
    fs::create_directories(home_ / ".postgresql");
  }

  std::string server() const { return fmt::format("127.0.0.1:{}@admin", cluster_.port()); }

  void authenticate_by_certificate() {
    const fs::path key = home_ / ".postgresql" / "postgresql.key";
    const fs::path certificate = home_ / ".postgresql" / "postgresql.crt";
    const SubprocessResult made =
        run_command({.command = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                                 "/CN=admin", "-keyout", key.string(), "-out", certificate.string()}});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    fs::permissions(key, fs::perms::owner_read | fs::perms::owner_write);
    const fs::path data = cluster_.folder() / "data";
    fs::copy_file(certificate, data / "client_ca.crt");
    fs::permissions(data / "client_ca.crt", fs::perms::others_read, fs::perm_options::add);
    std::ofstream(data / "pg_hba.conf") << "local all all trust\nhostssl all all 127.0.0.1/32 cert\n";
    cluster_.sql("postgres", "ALTER SYSTEM SET ssl_ca_file = 'client_ca.crt'");
    cluster_.sql("postgres", "SELECT pg_reload_conf()");
  }

  // True if the user of this environment reaches the server by a command of his own.
  bool reaches_it(const Environment& environment) const {
    const std::string address = fmt::format("host=127.0.0.1 port={} user=admin dbname=shop", cluster_.port());
    return run_command({.command = {PGSLUICE_PROGRAM, "ping", "--retry-for", "0", "-S", address, "-T", address},
                        .environment = environment})
               .exit_code == 0;
  }

  // What a migration that brings no password ends with, when a `serve` of this environment carries it out.
  Json validate_through_serve(const Environment& environment) {
    const int port = test::free_server_port();
    const fs::path store = folder_.path() / "store";
    const Subprocess serve({.command = {PGSLUICE_PROGRAM, "serve", "--store", store.string(), "--listen",
                                        fmt::format("127.0.0.1:{}", port)},
                            .environment = environment});
    httplib::Client client("127.0.0.1", port);
    EXPECT_TRUE(test::wait_until([&] {
      const auto answer = client.Get("/readyz");
      return answer && answer->status == 200;
    }));
    std::string token = read_file(store / "token");
    token.pop_back();
    client.set_bearer_token_auth(token);
    const Json body = {{"properties",
                        {{"SourceDBServerResourceId", server()},
                         {"TargetDbServerResourceId", server()},
                         {"migrationOption", "Validate"},
                         {"DBsToMigrate", {"shop"}}}}};
    const auto created = client.Put("/migrations/borrowed", body.dump(), "application/json");
    EXPECT_EQ(created->status, 201) << created->body;
    Json status;
    EXPECT_TRUE(test::wait_until([&] {
      status = Json::parse(client.Get("/migrations/borrowed")->body).at("properties").at("currentStatus");
      return status.at("state") != "InProgress";
    }));
    return status;
  }

  void expect_not_lent(const Environment& environment) {
    ASSERT_TRUE(reaches_it(environment)) << "the credentials are good, or this test shows nothing";
    const Json status = validate_through_serve(environment);
    EXPECT_NE(status.at("state"), "Succeeded");
    EXPECT_THAT(status.at("error").get<std::string>(), HasSubstr("AuthenticationAndConnectivityValidation"));
  }

  TemporaryFolder folder_;
  const fs::path home_ = folder_.path() / "home";
  test::Cluster cluster_;
};

TEST_F(OwnCredentialsTest, AClientCertificateIsNotLent) {
  authenticate_by_certificate();
  expect_not_lent({{"HOME", home_.string()}});
}

TEST_F(OwnCredentialsTest, AClientCertificateNamedByVariablesIsNotLent) {
  authenticate_by_certificate();
  fs::rename(home_ / ".postgresql", home_ / "elsewhere");
  expect_not_lent({{"HOME", home_.string()},
                   {"PGSSLCERT", (home_ / "elsewhere" / "postgresql.crt").string()},
                   {"PGSSLKEY", (home_ / "elsewhere" / "postgresql.key").string()}});
}

TEST_F(OwnCredentialsTest, APasswordFileIsNotLent) {
  std::ofstream(home_ / ".pgpass") << "*:*:*:*:" << kPassword << "\n";
  fs::permissions(home_ / ".pgpass", fs::perms::owner_read | fs::perms::owner_write);
  expect_not_lent({{"HOME", home_.string()}});
}

TEST_F(OwnCredentialsTest, APasswordOfTheEnvironmentIsNotLent) { expect_not_lent({{"PGPASSWORD", kPassword}}); }

TEST_F(OwnCredentialsTest, APasswordOfAServiceIsNotLent) {
  std::ofstream(home_ / ".pg_service.conf") << "[own]\npassword=" << kPassword << "\n";
  expect_not_lent({{"HOME", home_.string()}, {"PGSERVICE", "own"}});
}

TEST(Token, IsTheSameOnceItIsMade) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "token";
  const std::string token = read_or_make_token(file);
  EXPECT_EQ(token.size(), 64U);
  EXPECT_EQ(read_or_make_token(file), token);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(Token, OfAFileThatOthersMayKnowIsRefused) {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "token";
  const std::string token = read_or_make_token(file);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_THROW(read_or_make_token(file), Error);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::remove);
  EXPECT_EQ(read_or_make_token(file), token);

  fs::create_symlink(file, folder.path() / "link");
  EXPECT_THROW(read_or_make_token(folder.path() / "link"), Error);
  std::ofstream(file).flush();
  EXPECT_THROW(read_or_make_token(file), Error) << "an empty token is none";
}

}  // namespace
}  // namespace pgsluice::migration
