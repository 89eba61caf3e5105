#include "support/shop.h"

#include <fmt/format.h>

#include <stdexcept>

namespace pgsluice::test {

namespace {

std::filesystem::path file(const char* name) {
  return std::filesystem::path(PGSLUICE_SOURCE_FOLDER) / "tools/demo_database" / name;
}

}  // namespace

void make_shop_roles(const Cluster& cluster) {
  if (cluster.value("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'shop_owner'") == "0") {
    cluster.run_file("postgres", file("roles.sql"));
  }
}

void make_shop(const Cluster& cluster, const std::string& database, double scale) {
  make_shop_roles(cluster);
  cluster.create_database(database);
  const SubprocessResult result =
      run_command({.command = {(server_bindir() / "psql").string(), "--no-psqlrc", "--quiet", "--output=/dev/null",
                               fmt::format("--set=scale={}", scale), "--dbname=" + cluster.conninfo(database),
                               "--file=" + file("shop.sql").string()},
                   .environment = {{"PGOPTIONS", "-c client_min_messages=warning"}}});
  if (result.exit_code != 0) throw std::runtime_error("the shop could not be made: " + result.errors);
}

}  // namespace pgsluice::test
