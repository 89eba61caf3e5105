#include "tests/support/shop.h"

#include <fmt/format.h>

namespace pgsluice::test {

namespace {

std::filesystem::path file(const char* name) {
  return std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tools/demo_database" / name;
}

}  // namespace

void make_shop_roles(const Cluster& cluster) {
  if (cluster.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'shop_owner'") == "0") {
    run_sql_file(cluster.conninfo("postgres"), file("roles.sql"));
  }
}

void make_shop(const Cluster& cluster, const std::string& database, double scale) {
  make_shop_roles(cluster);
  cluster.create_database(database);
  run_sql_file(cluster.conninfo(database), file("shop.sql"), {fmt::format("--set=scale={}", scale)});
}

}  // namespace pgsluice::test
