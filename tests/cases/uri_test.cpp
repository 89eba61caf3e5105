// Connection strings as people write them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/cases/case_fixture.h"

namespace pgsluice::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class ConnectionStrings : public CaseTest {
 protected:
  std::string uri(const Cluster& cluster) const {
    return fmt::format("postgresql://postgres@/{}?host={}&port={}", kDatabase, cluster.folder().string(),
                       cluster.port());
  }
};

// Whatever libpq makes of it (a host, a port, a parameter), its message would show what it took the rest of the
// password for.
TEST_F(ConnectionStrings, NothingIsShownOfAPasswordThatIsNotPercentEncoded) {
  make("");
  for (const char* password : {"zebra@quagga", "@quagga", "zebra/quagga", "zebra?quagga", "zebra#quagga@quagga",
                               "zebra%quagga", "zebra[quagga", "zebra:quagga@quagga", "quagga@quagga@quagga"}) {
    SCOPED_TRACE(password);
    const std::string wrong =
        fmt::format("postgresql://postgres:{}@127.0.0.1:{}/{}", password, source().port(), kDatabase);
    const std::string& right = target().conninfo(kDatabase);
    const std::vector<std::vector<std::string>> commands = {{"clone", "--source", wrong, "--target", right},
                                                            {"check", "--source", right, "--target", wrong},
                                                            {"list", "databases", "--source", wrong}};
    for (const std::vector<std::string>& command : commands) {
      const SubprocessResult refused = run(command);
      EXPECT_NE(refused.exit_code, 0);
      EXPECT_NE(refused.exit_code, 12) << said(refused);
      EXPECT_THAT(said(refused), Not(ContainsRegex("quagga|zebra")));
    }
  }
}

TEST_F(ConnectionStrings, AURIWithABareAtSignInThePasswordAsksForPercentEncoding) {
  make("");
  for (const char* password : {"zebra@quagga", "zebra@quagga/quokka", "zebra%quagga"}) {
    const std::string wrong =
        fmt::format("postgresql://postgres:{}@127.0.0.1:{}/{}", password, source().port(), kDatabase);
    EXPECT_THAT(said(run({"clone", "--source", wrong, "--target", target().conninfo(kDatabase)})),
                ContainsRegex("percent-encode"))
        << password;
    // The same from the environment.
    const SubprocessResult refused =
        run({"check"}, {{"PGSLUICE_SOURCE_PGURI", wrong}, {"PGSLUICE_TARGET_PGURI", target().conninfo(kDatabase)}});
    EXPECT_THAT(said(refused), HasSubstr("percent-encode"));
    EXPECT_THAT(said(refused), Not(ContainsRegex("quagga|zebra|quokka")));
  }
}

TEST_F(ConnectionStrings, APasswordThatIsPercentEncodedIsTaken) {
  make("CREATE TABLE t (i int); INSERT INTO t VALUES (7)");
  source().sql("postgres", "DROP ROLE IF EXISTS odd_user; CREATE ROLE odd_user SUPERUSER LOGIN PASSWORD 'z@/?#:[%'");
  const std::string encoded =
      fmt::format("postgresql://odd_user:z%40%2F%3F%23%3A%5B%25@127.0.0.1:{}/{}", source().port(), kDatabase);
  const SubprocessResult cloned =
      run({"clone", "--source", encoded, "--target", target().conninfo(kDatabase), "--progress", "none"});
  EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
  EXPECT_EQ(at_target("SELECT i FROM t"), "7");
  source().sql("postgres", "DROP ROLE odd_user");
}

// As "$(cat file)" of another shell, a file of Windows, or a secret of Kubernetes gives it.
TEST_F(ConnectionStrings, ALineEndAfterAURIIsNotPartOfTheDatabasesName) {
  for (const char* end : {"\n", "\r\n", " \n"}) {
    make("CREATE TABLE t (i int); INSERT INTO t VALUES (7)");
    const SubprocessResult cloned =
        run({"clone", "--progress", "none"},
            {{"PGSLUICE_SOURCE_PGURI", uri(source()) + end}, {"PGSLUICE_TARGET_PGURI", uri(target()) + end}});
    EXPECT_EQ(cloned.exit_code, 0) << said(cloned);
    EXPECT_EQ(at_target("SELECT to_regclass('t') IS NOT NULL"), "t");
    source().sql("postgres", "DROP ROLE IF EXISTS plain_user; CREATE ROLE plain_user SUPERUSER LOGIN PASSWORD 'x'");
    const SubprocessResult listed =
        run({"list", "tables", "--source",
             fmt::format("postgresql://plain_user:x@127.0.0.1:{}/{}{}", source().port(), kDatabase, end)});
    EXPECT_EQ(listed.exit_code, 0) << said(listed);
    source().sql("postgres", "DROP ROLE plain_user");
  }
}

// What other drivers take, and what libpq takes for the name of an option.
TEST_F(ConnectionStrings, NothingIsShownOfOneThatLibpqCannotRead) {
  for (const char* text :
       {"postgresql+psycopg2://u:quagga@h:5432/db?sslmode=require", "jdbc:postgresql://u:quagga@h?ssl=true",
        "Postgresql://u:quagga@h/d?x=y", "u:quagga@h/db?x=y", "password=my quagga=word", "postgresql://u@h/db?quagga=1",
        "mysql://u:quagga@h/d"}) {
    SCOPED_TRACE(text);
    const SubprocessResult refused = run({"list", "databases", "--source", text});
    EXPECT_EQ(refused.exit_code, 1) << said(refused);
    EXPECT_THAT(said(refused), Not(HasSubstr("quagga")));
    EXPECT_THAT(said(refused), HasSubstr("postgresql://"));
  }
  EXPECT_THAT(said(run({"list", "databases", "--source", "postgresql://u@h/db?sslmod=require"})),
              HasSubstr("is sslmode meant?"));
}

}  // namespace
}  // namespace pgsluice::test
