#include "tools/pgsluice/archive_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/duration.h"
#include "base/file_descriptor.h"
#include "base/printable.h"
#include "pg/quote.h"
#include "store/server_manifest.h"
#include "tools/pgsluice/remedies.h"
#include "tools/pgsluice/report_format.h"
#include "tools/pgsluice/text_table.h"

namespace pgsluice::tools {

namespace {

std::string size_text(std::uintmax_t bytes) { return to_string(Bytes{static_cast<std::int64_t>(bytes)}); }

nlohmann::json summary_document(const pipeline::ArchiveSummary& summary) {
  return {{"entries", summary.entries},
          {"tables", summary.tables},
          {"rows", summary.rows},
          {"bytes", summary.content.count},
          {"storedBytes", summary.stored.count},
          {"largeObjects", summary.large_objects},
          {"snapshot", summary.snapshot},
          {"milliseconds", milliseconds(summary.elapsed)},
          {"skipped", summary.skipped},
          {"warnings", summary.warnings}};
}

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

std::string archive_summary_json(const pipeline::ArchiveSummary& summary) { return dump(summary_document(summary)); }

std::string server_archive_summary_text(const pipeline::ServerArchiveSummary& summary) {
  std::string text;
  for (const pipeline::DatabaseArchived& archived : summary.databases) {
    text += fmt::format("database {}: {}", pg::display_name("", archived.database),
                        archived.error ? "MISSING: " + describe(*archived.error) + "\n"
                                       : archive_summary_text(archived.summary, archived.folder.string()));
  }
  return text + list_text("Warnings", summary.warnings);
}

std::string server_archive_summary_json(const pipeline::ServerArchiveSummary& summary) {
  nlohmann::json databases = nlohmann::json::array();
  for (const pipeline::DatabaseArchived& archived : summary.databases) {
    nlohmann::json one = archived.error ? nlohmann::json::object() : summary_document(archived.summary);
    one["database"] = archived.database;
    one["folder"] = archived.folder.string();
    if (archived.error) one["error"] = describe(*archived.error);
    databases.push_back(std::move(one));
  }
  return dump({{"complete", summary.complete()},
               {"milliseconds", milliseconds(summary.elapsed)},
               {"warnings", summary.warnings},
               {"databases", std::move(databases)}});
}

std::string archive_plan_text(const std::vector<pipeline::ArchivePlan>& plans) {
  std::string text;
  for (const pipeline::ArchivePlan& plan : plans) {
    using Align = TextTable::Align;
    TextTable table({{"Table"}, {"Size", Align::kRight}, {"Parts", Align::kRight}});
    Bytes size;
    for (const pipeline::ArchivePlan::Table& planned : plan.tables) {
      table.add({planned.name, to_string(planned.size), std::to_string(planned.parts)});
      size += planned.size;
    }
    text += fmt::format("{}database {} of PostgreSQL {}: {} in {}, {}, {}\n", text.empty() ? "" : "\n",
                        pg::display_name("", plan.database), plan.server_version, to_string(size),
                        counted(plan.tables.size(), "table"), counted(plan.large_objects, "large object"),
                        counted(plan.entries, "entry", "entries"));
    if (!table.empty()) text += "\n" + table.text();
    text += list_text("Omitted by the filter", plan.skipped);
    text += list_text("Warnings", plan.warnings);
  }
  return text;
}

std::string archive_plan_json(const std::vector<pipeline::ArchivePlan>& plans) {
  nlohmann::json databases = nlohmann::json::array();
  for (const pipeline::ArchivePlan& plan : plans) {
    nlohmann::json tables = nlohmann::json::array();
    for (const pipeline::ArchivePlan::Table& table : plan.tables) {
      tables.push_back({{"name", table.name}, {"bytes", table.size.count}, {"parts", table.parts}});
    }
    databases.push_back({{"database", plan.database},
                         {"serverVersion", plan.server_version},
                         {"entries", plan.entries},
                         {"tables", std::move(tables)},
                         {"largeObjects", plan.large_objects},
                         {"skipped", plan.skipped},
                         {"warnings", plan.warnings}});
  }
  return dump({{"databases", std::move(databases)}});
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

std::string server_manifest_text(const std::filesystem::path& folder) {
  const store::ServerManifest server = store::read_server_manifest(folder);
  std::string text =
      fmt::format("{} of PostgreSQL {}\nwritten {} by pgsluice {}\n", counted(server.databases.size(), "database"),
                  server.server_version, server.created, server.written_by);
  for (const std::string& database : server.databases) {
    text += fmt::format("\nin {}:\n", store::folder_of_database(database));
    text += manifest_text(store::read_manifest(folder / store::folder_of_database(database)));
  }
  return text;
}

std::string server_manifest_json(const std::filesystem::path& folder) {
  nlohmann::ordered_json document = nlohmann::ordered_json::parse(read_file(folder / store::kServerManifestFile));
  for (nlohmann::ordered_json& database : document.at("databases")) {
    database["archive"] =
        nlohmann::ordered_json::parse(manifest_json(folder / database.at("folder").get<std::string>()));
  }
  return document.dump(2) + "\n";
}

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
