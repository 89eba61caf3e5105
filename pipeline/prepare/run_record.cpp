#include "pipeline/prepare/run_record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "base/bytes_as_utf8.h"
#include "base/digest.h"
#include "copy/ledger.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"

namespace pgsluice::pipeline {

namespace {

constexpr int kFormat = 3;

using Json = nlohmann::json;

Json to_json(const pg::SnapshotMark& mark) {
  return {{"name", mark.snapshot.name},
          {"text", mark.snapshot.text},
          {"system_identifier", mark.snapshot.system_identifier},
          {"server_started", mark.snapshot.server_started},
          {"database", mark.database},
          {"timeline", mark.timeline},
          {"log_position", mark.log_position},
          {"log_is_on_disk", mark.log_is_on_disk},
          {"checkpointer_started", mark.checkpointer_started},
          {"read_before", mark.read_before},
          {"definitions", mark.definitions}};
}

pg::SnapshotMark mark_of(const Json& json) {
  return {.snapshot = {.name = json.at("name"),
                       .text = json.at("text"),
                       .system_identifier = json.at("system_identifier"),
                       .server_started = json.at("server_started")},
          .database = json.at("database"),
          .timeline = json.at("timeline"),
          .log_position = json.at("log_position"),
          .log_is_on_disk = json.at("log_is_on_disk"),
          .checkpointer_started = json.at("checkpointer_started"),
          .read_before = json.at("read_before"),
          .definitions = json.value("definitions", "")};
}

Json to_json(const std::set<std::string, std::less<>>& names) {
  Json result = Json::array();
  for (const std::string& name : names) result.push_back(bytes_as_utf8(name));
  return result;
}

std::set<std::string, std::less<>> names_of(const Json& json) {
  std::set<std::string, std::less<>> result;
  for (const Json& name : json) result.insert(bytes_from_utf8(name.get<std::string>()));
  return result;
}

Json to_json(const schema::TargetInventory& inventory) {
  Json extensions = Json::object();
  for (const auto& [name, schema] : inventory.extensions) extensions[bytes_as_utf8(name)] = bytes_as_utf8(schema);
  return {{"schemas", to_json(inventory.schemas)},
          {"extensions", extensions},
          {"others_extensions", to_json(inventory.others_extensions)},
          {"others_schemas", to_json(inventory.others_schemas)}};
}

schema::TargetInventory inventory_of(const Json& json) {
  schema::TargetInventory inventory;
  inventory.schemas = names_of(json.at("schemas"));
  for (const auto& [name, schema] : json.at("extensions").items()) {
    inventory.extensions[bytes_from_utf8(name)] = bytes_from_utf8(schema.get<std::string>());
  }
  inventory.others_extensions = names_of(json.at("others_extensions"));
  inventory.others_schemas = names_of(json.at("others_schemas"));
  return inventory;
}

constexpr const char* kNone = "none";

std::string filters_of(const ResolvedOptions& options) {
  return options.filters.empty() ? kNone : digest_of(options.filters.to_text()).hex();
}

// Commands that do single steps record only the options of their steps.
std::map<std::string, std::string> decisive_options(const ResolvedOptions& options) {
  const auto given = [](bool is_given) { return is_given ? "given" : "not given"; };
  using When = copy::SplitOptions::When;
  const copy::SplitOptions& split = options.split;
  // Digests of rows in text and in binary do not add up.
  const std::string format = options.format == copy::FormatWish::kText ? "text" : "auto or binary";
  const std::string larger_than =
      split.when == When::kAuto ? "auto" : fmt::format("{} bytes", split.when == When::kNever ? 0 : split.size.count);
  std::map<std::string, std::string> decisive;
  decisive["filters"] = filters_of(options);
  if (options.steps.contains(Step::kTableData)) {
    if (options.verify) decisive["copy-format"] = format;
    decisive["verify"] = given(options.verify);
    decisive["split-tables-larger-than"] = larger_than;
    decisive["split-max-parts"] = fmt::format("{}", split.max_parts);
    decisive["skip-split-by-ctid"] = given(!split.by_ctid);
  }
  if (is_stepwise(options)) return decisive;
  decisive.insert({
      {"no-owner", given(!options.restore.owners)},
      {"no-acl", given(!options.restore.acls)},
      {"no-comments", given(!options.restore.comments)},
      {"no-tablespaces", given(!options.restore.tablespaces)},
      {"skip-ext-comments", given(!options.restore.extension_comments)},
      {"skip-large-objects", given(!options.large_objects)},
      {"skip-extensions", given(!options.extensions)},
      {"skip-collations", given(!options.restore.collations)},
  });
  return decisive;
}

}  // namespace

std::string RunRecord::to_text() const {
  Json json = {{"format", kFormat},
               {"id", id},
               {"snapshot", to_json(mark)},
               {"options", options},
               {"stepwise", stepwise},
               {"begun", begun},
               {"unfinished", unfinished},
               {"was_all_tried", was_all_tried},
               {"filters", bytes_as_utf8(filters)},
               {"inventory", to_json(inventory)}};
  if (mark_of_rows) json["rows"] = to_json(*mark_of_rows);
  // In ASCII, whatever the ledger's database is encoded in.
  return json.dump(-1, ' ', true);
}

RunRecord RunRecord::parse(const std::string& text) {
  std::string details;
  try {
    const Json json = Json::parse(text);
    const int format = json.at("format").get<int>();
    if (format == kFormat) {
      return {.id = json.at("id"),
              .mark = mark_of(json.at("snapshot")),
              .mark_of_rows = json.contains("rows") ? std::optional(mark_of(json.at("rows"))) : std::nullopt,
              .options = json.at("options").get<std::map<std::string, std::string>>(),
              .inventory = inventory_of(json.at("inventory")),
              .stepwise = json.value("stepwise", false),
              .begun = json.at("begun").get<std::set<std::string>>(),
              .unfinished = json.at("unfinished").get<std::set<std::string>>(),
              .was_all_tried = json.value("was_all_tried", false),
              .filters = bytes_from_utf8(json.value("filters", ""))};
    }
    details = fmt::format("it has format {}, and this version reads format {}", format, kFormat);
  } catch (const Json::exception&) {
    // Another version's, or changed by hand: the same to us.
  }
  throw copy::ledger_of_another_version(details);
}

bool is_stepwise(const ResolvedOptions& options) { return options.archive.empty() && options.steps != all_steps(); }

RunRecord new_record(const ResolvedOptions& options) {
  std::random_device random;
  Digest id;
  for (std::uint64_t* half : {&id.high, &id.low}) {
    constexpr unsigned kHalf = 32;
    *half = (static_cast<std::uint64_t>(random()) << kHalf) | random();
  }
  return {.id = id.hex(),
          .mark = {},
          .options = decisive_options(options),
          .inventory = {},
          .stepwise = is_stepwise(options),
          .begun = ids_of(options.steps),
          .unfinished = ids_of(options.steps),
          .filters = options.filters.to_text()};
}

void require_same_options(const RunRecord& record, const ResolvedOptions& options) {
  std::vector<std::string> differences;
  for (const auto& [name, value] : decisive_options(options)) {
    const auto before = record.options.find(name);
    if (before == record.options.end() && record.stepwise) continue;
    // It only matters where both runs verify.
    if (name == "copy-format" && before == record.options.end()) continue;
    const bool takes_those_of_the_run =
        is_stepwise(options) && options.filters.empty() && !options.definitions_from_work_folder;
    if (name == "filters" && takes_those_of_the_run) continue;
    if (before != record.options.end() && before->second == value) continue;
    const std::string was = before == record.options.end() ? "unknown" : before->second;
    // A file's content is kept as a digest, which tells a person nothing.
    const bool is_filter = name == "filters";
    const auto told = [is_filter](const std::string& text) {
      return is_filter && text != kNone && text != "unknown" ? std::string("rules") : text;
    };
    differences.push_back(was != kNone && name == "filters" && value != kNone
                              ? "filters (its rules are others)"
                              : fmt::format("{} (was {}, is {})", name, told(was), told(value)));
  }
  if (differences.empty()) return;
  throw Error(ErrorKind::kState, fmt::format("the run began with other options: {}", fmt::join(differences, ", ")))
      .hint("continue with the options that the run began with");
}

std::string mark_text(const pg::SnapshotMark& mark) { return to_json(mark).dump(); }

pg::SnapshotMark parse_mark(const std::string& text) {
  try {
    return mark_of(Json::parse(text));
  } catch (const Json::exception&) {
    throw Error(ErrorKind::kState, "what is written of the snapshot is damaged");
  }
}

}  // namespace pgsluice::pipeline
