// compare_databases SOURCE TARGET [BINDIR]: prints the differences of two databases; exit code 21 when there are any.
#include <cstdio>
#include <exception>

#include "tests/support/cluster.h"
#include "tests/support/database_comparison.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: compare_databases SOURCE TARGET [FOLDER-OF-PG_DUMP]\n", stderr);
    return 1;
  }
  try {
    const std::filesystem::path bindir = argc > 3 ? std::filesystem::path(argv[3]) : pgsluice::test::server_bindir();
    const std::vector<std::string> differences = pgsluice::test::compare_databases(argv[1], argv[2], bindir);
    for (const std::string& difference : differences) std::puts(difference.c_str());
    std::puts(differences.empty() ? "both databases are the same: definitions, contents, sequences, large objects"
                                  : "the databases differ");
    return differences.empty() ? 0 : 21;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "compare_databases: %s\n", error.what());
    return 12;
  }
}
