#include "support/fidelity.h"

namespace pgsluice::test {

namespace {
constexpr const char* kOwner = "fidelity_owner";
constexpr const char* kTablespace = "fidelity_space";
}  // namespace

void run_fidelity_file(const Cluster& cluster, const std::string& database, const std::string& name,
                       const std::string& user) {
  run_sql_file(cluster.conninfo(database, user),
               std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tests/fidelity" / name,
               {std::string("--set=tablespace=") + kTablespace,
                std::string("--set=superuser=") + (user == "postgres" ? "1" : "0")});
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
  if (part == Fidelity::kOwner) return;
  for (const char* file : {"superuser.sql", "beyond.sql", "database.sql"}) run_fidelity_file(cluster, database, file);
}

void make_fidelity_target(const Cluster& cluster, const std::string& database, Fidelity part) {
  // Other OIDs than on the source, so that none is right by chance.
  cluster.sql("postgres", "SELECT count(lo_unlink(lo_create(0))) FROM generate_series(1, 3000)");
  prepare_for_fidelity(cluster);
  cluster.create_database(database, "TEMPLATE template0 OWNER fidelity_owner");
  if (part == Fidelity::kOwner) run_fidelity_file(cluster, database, "extensions.sql");
}

}  // namespace pgsluice::test
