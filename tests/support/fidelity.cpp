#include "tests/support/fidelity.h"

#include <fmt/format.h>

namespace pgsluice::test {

namespace {
constexpr const char* kOwner = "fidelity_owner";
constexpr const char* kTablespace = "fidelity_space";

constexpr int kWrittenFor = 15;  // what the files without "since" hold

int version_of(const Cluster& cluster) {
  constexpr int kOneMajor = 10000;
  return std::stoi(cluster.value("postgres", "SELECT current_setting('server_version_num')")) / kOneMajor;
}

bool takes_all(const Cluster& cluster) {
  return version_of(cluster) >= kWrittenFor && cluster.value("postgres",
                                                             "SELECT 'lz4' = ANY (enumvals) FROM pg_settings"
                                                             " WHERE name = 'default_toast_compression'") == "t";
}

}  // namespace

void run_fidelity_file(const Cluster& cluster, const std::string& database, const std::string& name,
                       const std::string& user) {
  run_sql_file(cluster.conninfo(database, user),
               std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tests/fidelity" / name,
               {std::string("--set=tablespace=") + kTablespace,
                std::string("--set=superuser=") + (user == "postgres" ? "1" : "0"),
                // Of an older release, or one that was built without a library, all that it takes.
                std::string("--set=ON_ERROR_STOP=") + (takes_all(cluster) ? "1" : "0")});
}

void prepare_for_fidelity(const Cluster& cluster) {
  if (cluster.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'fidelity_owner'") != "0") return;
  run_fidelity_file(cluster, "postgres", "roles.sql");
  cluster.create_tablespace(kTablespace);
}

void make_fidelity(const Cluster& cluster, const std::string& database, Fidelity part) {
  prepare_for_fidelity(cluster);
  cluster.create_database(database, "TEMPLATE template0 OWNER fidelity_owner");
  run_fidelity_file(cluster, database, "extensions.sql");
  for (const char* file : {"tables.sql", "partitions.sql", "names.sql", "types.sql", "types_own.sql", "indexes.sql",
                           "constraints.sql", "functions.sql", "views.sql", "security.sql"}) {
    run_fidelity_file(cluster, database, file, kOwner);
  }
  const int version = version_of(cluster);
  for (const int since : {16, 17, 18}) {
    if (version >= since) run_fidelity_file(cluster, database, fmt::format("since_{}.sql", since), kOwner);
  }
  if (part == Fidelity::kOwner) return;
  for (const char* file : {"superuser.sql", "beyond.sql", "database.sql"}) run_fidelity_file(cluster, database, file);
  for (const int since : {17, 18}) {
    if (version >= since) run_fidelity_file(cluster, database, fmt::format("superuser_since_{}.sql", since));
  }
}

void make_fidelity_target(const Cluster& cluster, const std::string& database, Fidelity part) {
  // Other OIDs than on the source, so that none is right by chance.
  cluster.sql("postgres", "SELECT count(lo_unlink(lo_create(0))) FROM generate_series(1, 3000)");
  prepare_for_fidelity(cluster);
  cluster.create_database(database, "TEMPLATE template0 OWNER fidelity_owner");
  if (part == Fidelity::kOwner) run_fidelity_file(cluster, database, "extensions.sql");
}

}  // namespace pgsluice::test
