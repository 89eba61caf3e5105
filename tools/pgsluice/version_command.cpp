#include <fmt/format.h>
#include <libpq-fe.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "pgsluice/commands.h"

namespace pgsluice::tools {

void add_version_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("version", "Print the version of pgsluice and of libpq");
  auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "One JSON document");
  command->callback([as_json, &exit_code] {
    const int libpq = PQlibVersion();
    const std::string libpq_version = fmt::format("{}.{}", libpq / 10000, libpq % 10000);
    const nlohmann::json document = {{"pgsluice", PGSLUICE_VERSION}, {"libpq", libpq_version}};
    if (*as_json) {
      std::puts(document.dump(2).c_str());
    } else {
      std::puts(fmt::format("pgsluice {}\nlibpq {}", PGSLUICE_VERSION, libpq_version).c_str());
    }
    exit_code = 0;
  });
}

}  // namespace pgsluice::tools
