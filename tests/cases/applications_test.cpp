// Databases of applications, from Debian's packages, that none of us has designed: webmail, monitoring and DNS.
// Migrated as a superuser, and by the administrator of a managed server, who is none.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

struct Application {
  const char* name;    ///< of the folder that tools/test has fetched, and of the database
  const char* schema;  ///< the file in it
  int rows_at_least;
};
constexpr Application kApplications[] = {
    {"roundcube", "usr/share/roundcube/SQL/postgres.initial.sql", 3000},
    {"icinga", "usr/share/icinga2-ido-pgsql/schema/pgsql.sql", 15000},
    {"pdns", "usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql", 1500},
};

constexpr const char* kRows =
    "SELECT sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', oid::regclass), false, "
    "true,"
    " '')))[1]::text::int) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";

class Applications : public CaseTest {
 protected:
  void SetUp() override {
    for (const Application& application : kApplications) {
      if (download(application.name).empty()) GTEST_SKIP() << kNoDownloads;
    }
  }
  // Other tests clone all databases of these servers.
  void TearDown() override {
    if (IsSkipped()) return;
    for (const Cluster* server : {&source(), &target()}) {
      for (const Application& application : kApplications) {
        server->sql("postgres", fmt::format("DROP DATABASE IF EXISTS {}", application.name));
      }
    }
  }
  static void create_role(const Cluster& server, const std::string& name, const std::string& options) {
    if (server.value("postgres", fmt::format("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", name)) == "0") {
      server.sql("postgres", fmt::format("CREATE ROLE {} LOGIN {}", name, options));
    }
  }
  // As its owner, who also leaves a schema of temporary tables after, which is the superuser's.
  void make_applications() const {
    create_role(source(), "apps_owner", "");
    create_role(target(), "apps_owner", "");
    create_role(target(), "apps_admin", "CREATEDB CREATEROLE");
    target().sql("postgres", "GRANT apps_owner TO apps_admin");
    for (const Application& application : kApplications) {
      source().create_database(application.name, "TEMPLATE template0 OWNER apps_owner");
      const std::string conninfo = source().conninfo(application.name, "apps_owner");
      run_sql_file(conninfo, download(application.name) / application.schema);
      run_sql_file(conninfo, sql_file("fill.sql"));
      EXPECT_GE(std::stoi(source().value(application.name, kRows)), application.rows_at_least) << application.name;
    }
  }
  void expect_migrations_to_succeed() const {
    make_applications();
    nlohmann::json properties = {{"DBsToMigrate", nlohmann::json::array()}};
    for (const Application& application : kApplications) properties["DBsToMigrate"].push_back(application.name);
    for (const char* user : {"postgres", "apps_admin"}) {
      for (const Application& application : kApplications) {
        target().sql("postgres", fmt::format("DROP DATABASE IF EXISTS {}", application.name));
      }
      properties["TargetDbServerResourceId"] =
          fmt::format("{}:{}@{}", target().folder().string(), target().port(), user);
      const Migrated migrated = migrate(properties);
      EXPECT_EQ(migrated.state, "Succeeded") << user << ": " << migrated.error << said(migrated.result);
      for (const Application& application : kApplications) {
        EXPECT_EQ(source().value(application.name, kRows), target().value(application.name, kRows));
      }
    }
  }
};

TEST_F(Applications, MigrateFrom15To18) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  expect_migrations_to_succeed();
}

TEST_F(Applications, MigrateFrom18To18) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  expect_migrations_to_succeed();
}

}  // namespace
}  // namespace pgsluice::test
