#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/wait.h"
#include "pgsluice/migration/control.h"
#include "pgsluice/migration/runner.h"
#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::migration {

inline constexpr const char* kPassword = "s3cret-of-the-test";

/// Databases of a source, one of which the target has already, and migrations of three of them.
class RunnerFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    for (test::Cluster* cluster : {&source_, &target_}) {
      cluster->sql("postgres", std::string("CREATE ROLE admin SUPERUSER LOGIN PASSWORD '") + kPassword + "'");
    }
    for (const char* name : {"testdb1", "testdb3", "testdb6", "testschema"}) {
      source_.create_database(name, "TEMPLATE template0");
      source_.sql(name, "CREATE TABLE t (i int PRIMARY KEY, s text); INSERT INTO t SELECT g, '" + std::string(name) +
                            "' FROM generate_series(1, 5000) g; CREATE INDEX ON t (s)");
    }
    target_.create_database("testdb6", "TEMPLATE template0");
    target_.sql("testdb6", "CREATE TABLE of_before (i int)");
  }

  Request request() const {
    Request result;
    result.source = {.host = "127.0.0.1", .port = source_.port(), .user = "admin"};
    result.target = {.host = "127.0.0.1", .port = target_.port(), .user = "admin"};
    result.source_password = result.target_password = kPassword;
    result.databases = {"testdb3", "testdb6", "testschema"};
    result.engine.table_jobs = result.engine.index_jobs = 2;
    result.engine.retry_for = std::chrono::seconds(1);
    return result;
  }

  Migration run(const Request& wanted, const std::string& name = "first") {
    Runner runner(store_, create(store_, name, "", {}, wanted), wanted, sink_);
    return runner.run();
  }

  std::vector<std::string> differences(const std::string& database) const {
    return test::compare_databases(source_.conninfo(database), target_.conninfo(database), test::server_bindir());
  }

  bool target_has(const std::string& database) const {
    return target_.value("postgres", "SELECT count(*) FROM pg_database WHERE datname = '" + database + "'") == "1";
  }

  // While it lives, the copy of a database comes no further than its materialized view. (A lock would hold up the
  // checks before a database is replaced as well.)
  class Held {
   public:
    Held(const test::Cluster& source, const test::Cluster& target, const std::string& database) : target_(target) {
      source.sql(database, fmt::format(R"sql(
        CREATE FUNCTION hold() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
          WHILE current_setting('port') <> '{}' AND NOT EXISTS (SELECT FROM pg_database WHERE datname = 'go_on')
            LOOP PERFORM pg_sleep(0.02); END LOOP; RETURN 1; END $$;
        CREATE MATERIALIZED VIEW held AS SELECT hold())sql",
                                       source.port()));
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { target_.create_database("go_on", "TEMPLATE template0"); }

   private:
    const test::Cluster& target_;
  };

  // An index of this database for which the target takes some seconds; is_at_the_slow_index() is true meanwhile.
  void make_slow_index(const std::string& database) const {
    source_.sql(database, fmt::format(R"sql(
      CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
        IF current_setting('port') <> '{}' THEN PERFORM pg_sleep(0.01); END IF; RETURN i; END $$;
      CREATE TABLE indexed AS SELECT g AS i FROM generate_series(1, 400) g; CREATE INDEX ON indexed (slow(i)))sql",
                                      source_.port()));
  }
  bool is_at_the_slow_index() const {
    return target_.value("postgres",
                         "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND pid <>"
                         " pg_backend_pid() AND query ~ 'CREATE INDEX indexed')") == "t";
  }

  // Runs until a moment, and then asks something of the runner, from another thread.
  Migration run_and(const Request& wanted, const std::function<bool(const Migration&)>& moment,
                    const std::function<void(Runner&)>& ask) {
    Runner runner(store_, create(store_, "first", "", {}, wanted), wanted, sink_);
    std::atomic<bool> ended{false};
    std::jthread user([&] {
      while (!ended && !moment(runner.migration())) wait_for({}, {}, std::chrono::milliseconds(5));
      if (!ended) ask(runner);
    });
    Migration result = runner.run();
    ended = true;
    return result;
  }

  test::Cluster source_;
  test::Cluster target_;
  test::RecordingSink sink_;
  TemporaryFolder folder_;
  Store store_{folder_.path() / "store"};
};

}  // namespace pgsluice::migration
