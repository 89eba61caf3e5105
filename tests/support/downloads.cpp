#include "support/downloads.h"

#include <cstdlib>
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

}  // namespace pgsluice::test
