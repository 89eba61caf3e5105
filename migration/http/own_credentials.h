#pragma once

#include <filesystem>
#include <string>

namespace pgsluice::migration {

/// Keeps what this user has for other servers from those that a request names: passwords, service files, client
/// certificates and Kerberos tickets, also libpq's default files. It changes the environment of this process and of
/// those that it starts: before any thread is started.
void withhold_own_credentials();

/// The token of a store's service, made with the first call: 64 hexadecimal digits in a file that only its owner reads.
/// Throws Error(kState) for a file that others may read.
std::string read_or_make_token(const std::filesystem::path& file);

}  // namespace pgsluice::migration
