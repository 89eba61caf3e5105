#pragma once

#include <filesystem>

namespace pgsluice::test {

inline constexpr const char* kNoDownloads = "not downloaded: run tools/test";

/// A folder that tools/test has fetched from Debian's or npm's packages ("zabbix", "pglite"). Empty where it is not
/// there; under CI=true that is an error.
std::filesystem::path download(const char* name);

}  // namespace pgsluice::test
