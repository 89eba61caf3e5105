#pragma once

#include <filesystem>

namespace pgsluice::test {

inline constexpr const char* kNoDownloads = "not downloaded: run tools/test";

/// A folder that tools/test has fetched from Debian's or npm's packages ("zabbix", "pglite"). Empty where it is not
/// there; under CI=true that is an error.
std::filesystem::path download(const char* name);

/// The folder of a PostgreSQL server's programs of this major version: Debian's own, or what tools/postgresql has
/// brought (with client programs where its bin/pg_dump exists). Empty where there are none; under CI=true that is an
/// error, unless tools/test has said that the version is to be had nowhere (PGSLUICE_TEST_UNAVAILABLE, a list).
std::filesystem::path server_programs(int version);

}  // namespace pgsluice::test
