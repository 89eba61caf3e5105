#include "migration/http/own_credentials.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "base/file_descriptor.h"
#include "migration/http/server.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {
// libpq takes a certificate or password file that is not there for none at all, and Kerberos such a cache for an empty
// one.
constexpr const char* kNoFile = "/nonexistent/pgsluice-withholds-it";
}  // namespace

void withhold_own_credentials() {
  for (const char* variable : {"PGPASSWORD", "PGSERVICE", "PGSERVICEFILE", "PGUSER"}) ::unsetenv(variable);
  for (const char* variable : {"PGPASSFILE", "PGSSLCERT", "PGSSLKEY"}) ::setenv(variable, kNoFile, 1);
  for (const char* variable : {"KRB5CCNAME", "KRB5_CLIENT_KTNAME", "KRB5_KTNAME"}) {
    ::setenv(variable, fmt::format("FILE:{}", kNoFile).c_str(), 1);
  }
  ::setenv("PGGSSENCMODE", "disable", 1);
}

namespace {

// Returns the token in the file; nullopt if there is no file. Throws Error(kState) if others may know the token.
std::optional<std::string> read_token(const std::filesystem::path& file) {
  const FileDescriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!opened.valid() && errno == ENOENT) return std::nullopt;
  const auto refuse = [&](const char* what) {
    throw Error(ErrorKind::kState, fmt::format("{} {}", what, file.string()))
        .hint("remove the file: a new token is made with the next start");
  };
  if (!opened.valid() || ::fstat(opened.get(), &status) != 0) refuse("cannot read the token of");
  if (status.st_uid != ::geteuid()) refuse("another user has made the token of");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) refuse("others may read the token of");
  const std::string text = read_file(file);
  const std::size_t length = text.find_last_not_of('\n') + 1;
  if (length < HttpServer::kMinTokenLength) refuse("there is no whole token in");
  return text.substr(0, length);
}

std::string random_token() {
  std::array<unsigned char, 32> random{};
  if (::RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw Error(ErrorKind::kSystem, "no random bytes for a token are to be had");
  }
  std::string token;
  for (const unsigned char byte : random) token += fmt::format("{:02x}", byte);
  return token;
}

}  // namespace

std::string read_or_make_token(const std::filesystem::path& file) {
  if (const std::optional<std::string> token = read_token(file)) return *token;
  const std::string token = random_token();
  // If several servers start at once, they share the token of one.
  return write_new_file(file, token + "\n") ? token : read_token(file).value_or(token);
}

}  // namespace pgsluice::migration
