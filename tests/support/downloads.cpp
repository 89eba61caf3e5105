#include "tests/support/downloads.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>

namespace pgsluice::test {

std::filesystem::path download(const char* name) {
  const char* folder = std::getenv("PGSLUICE_TEST_DOWNLOADS");
  if (folder != nullptr && std::filesystem::exists(std::filesystem::path(folder) / name)) {
    return std::filesystem::path(folder) / name;
  }
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string(ci) == "true") throw std::runtime_error(std::string(name) + " was not downloaded");
  return {};
}

std::filesystem::path server_programs(int version) {
  const std::filesystem::path debian = "/usr/lib/postgresql/" + std::to_string(version) + "/bin";
  if (std::filesystem::exists(debian / "postgres")) return debian;
  const char* unavailable = std::getenv("PGSLUICE_TEST_UNAVAILABLE");
  std::istringstream versions(unavailable == nullptr ? "" : unavailable);
  for (std::string none; versions >> none;) {
    if (none == std::to_string(version)) return {};
  }
  const std::filesystem::path folder = download(("postgresql-" + std::to_string(version)).c_str());
  return folder.empty() ? folder : folder / "bin";
}

}  // namespace pgsluice::test
