#include "migration/http/own_credentials.h"

#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace pgsluice::migration {

namespace {
// libpq takes a certificate file that is not there for none at all, and Kerberos such a cache for an empty one.
constexpr const char* kNoFile = "/nonexistent/pgsluice-withholds-it";
}  // namespace

void withhold_own_credentials() {
  for (const char* variable : {"PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGUSER"}) ::unsetenv(variable);
  ::setenv("PGPASSFILE", "/dev/null", 1);
  for (const char* variable : {"PGSSLCERT", "PGSSLKEY"}) ::setenv(variable, kNoFile, 1);
  for (const char* variable : {"KRB5CCNAME", "KRB5_CLIENT_KTNAME", "KRB5_KTNAME"}) {
    ::setenv(variable, fmt::format("FILE:{}", kNoFile).c_str(), 1);
  }
  ::setenv("PGGSSENCMODE", "disable", 1);
}

std::string read_or_make_token(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0) {
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
      throw Error(ErrorKind::kState, fmt::format("others may read the token of {}", file.string()))
          .hint("remove the file: a new token is made with the next start");
    }
    std::string token = read_file(file);
    while (!token.empty() && token.back() == '\n') token.pop_back();
    return token;
  }
  std::array<unsigned char, 32> random{};
  if (::RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw Error(ErrorKind::kSystem, "no random bytes for a token are to be had");
  }
  std::string token;
  for (const unsigned char byte : random) token += fmt::format("{:02x}", byte);
  write_file(file, token + "\n");
  return token;
}

}  // namespace pgsluice::migration
