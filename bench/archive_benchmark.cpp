// Reading the table of contents of pg_dump's archive.
#include <benchmark/benchmark.h>

#include <fstream>

#include "base/file_descriptor.h"
#include "schema/archive/archive.h"
#include "tests/schema/archive_builder.h"

namespace pgsluice {
namespace {

void BM_ReadArchive(benchmark::State& state) {
  constexpr int kMinor = 14;
  constexpr int kPreData = 2;
  test::ArchiveBuilder builder(kMinor);
  for (int i = 1; i <= state.range(0); ++i) {
    schema::TocEntry entry;
    entry.dump_id = i;
    entry.catalog_id = {1259, static_cast<schema::Oid>(16384 + i)};
    entry.kind = schema::EntryKind::kTable;
    entry.tag = "table_" + std::to_string(i);
    entry.schema = "public";
    entry.owner = "postgres";
    entry.definition = "CREATE TABLE public.table (id integer NOT NULL, name text, amount numeric);\n";
    if (i > 1) entry.dependencies = {i - 1};
    builder.entry(entry, kPreData);
  }
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "archive";
  std::ofstream(file, std::ios::binary) << builder.bytes();
  for (auto _ : state) benchmark::DoNotOptimize(schema::read_archive(file));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_ReadArchive)->Arg(100)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgsluice
