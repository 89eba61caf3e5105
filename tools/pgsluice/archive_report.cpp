#include "tools/pgsluice/archive_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/printable.h"
#include "pg/quote.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

std::string size_text(std::uintmax_t bytes) { return to_string(Bytes{static_cast<std::int64_t>(bytes)}); }

}  // namespace

std::string archive_summary_text(const pipeline::ArchiveSummary& summary, const std::string& folder) {
  std::string text =
      fmt::format("{}: {} of {}, {} and {} in {}\n{} of data, {} compressed\n", printable(folder, LineEnds::kEscaped),
                  counted(summary.rows, "row"), counted(summary.tables, "table"),
                  counted(summary.large_objects, "large object"), counted(summary.entries, "entry", "entries"),
                  format_duration(summary.elapsed), to_string(summary.content), to_string(summary.stored));
  text += list_text("Omitted by the filter", summary.skipped);
  text += list_text("Warnings", summary.warnings);
  return text;
}

std::string archive_summary_json(const pipeline::ArchiveSummary& summary) {
  return dump({{"entries", summary.entries},
               {"tables", summary.tables},
               {"rows", summary.rows},
               {"bytes", summary.content.count},
               {"storedBytes", summary.stored.count},
               {"largeObjects", summary.large_objects},
               {"snapshot", summary.snapshot},
               {"milliseconds", milliseconds(summary.elapsed)},
               {"skipped", summary.skipped},
               {"warnings", summary.warnings}});
}

std::string manifest_text(const store::Manifest& manifest) {
  std::string text = fmt::format(
      "database {} of PostgreSQL {}, encoding {}\nwritten {} by pgsluice {} with pg_dump {}\nsnapshot {} at {}\n"
      "compression {}\n",
      printable(manifest.database, LineEnds::kEscaped), manifest.server_version, manifest.encoding, manifest.created,
      manifest.written_by, manifest.pg_dump_version, manifest.snapshot, manifest.log_position,
      manifest.compression.text());
  using Align = TextTable::Align;
  TextTable table({{"table"}, {"rows", Align::kRight}, {"data", Align::kRight}, {"stored", Align::kRight}, {"file"}});
  for (const store::ArchivedTable& archived : manifest.tables) {
    table.add({pg::display_name(archived.schema, archived.name), std::to_string(archived.rows.rows),
               size_text(archived.content), size_text(archived.file.size), archived.file.name});
  }
  if (!table.empty()) text += "\n" + table.text();
  std::uintmax_t content = 0;
  std::uintmax_t stored = 0;
  for (const store::ArchivedLargeObject& object : manifest.large_objects) {
    content += object.content;
    stored += object.file.size;
  }
  if (!manifest.large_objects.empty()) {
    text += fmt::format("\n{}: {} of data, {} stored\n", counted(manifest.large_objects.size(), "large object"),
                        size_text(content), size_text(stored));
  }
  return text;
}

std::string manifest_json(const std::filesystem::path& folder) { return read_file(folder / store::kManifestFile); }

std::string damage_text(const std::vector<store::Damage>& found, const store::VerificationProgress& progress) {
  if (found.empty()) {
    return fmt::format("the archive is as it was written: {} in {}\n", to_string(Bytes{progress.bytes}),
                       counted(progress.files_done.load(), "file"));
  }
  std::string text;
  for (const store::Damage& damage : found) {
    text +=
        fmt::format("{}: {}\n", printable(damage.what, LineEnds::kEscaped), printable(damage.why, LineEnds::kEscaped));
  }
  return text;
}

std::string damage_json(const std::vector<store::Damage>& found) {
  nlohmann::json damaged = nlohmann::json::array();
  for (const store::Damage& damage : found) damaged.push_back({{"what", damage.what}, {"why", damage.why}});
  return dump({{"intact", found.empty()}, {"damaged", damaged}});
}

}  // namespace pgsluice::tools
