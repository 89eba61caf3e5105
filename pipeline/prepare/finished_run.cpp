#include "pipeline/prepare/finished_run.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "base/file_descriptor.h"
#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"
#include "pipeline/prepare/continuation.h"
#include "pipeline/prepare/read_existing_target.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/source_changes.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

namespace {

using Json = nlohmann::json;

std::filesystem::path file_in(const std::filesystem::path& work_folder) { return work_folder / "finished.json"; }

Json to_json(const std::optional<std::int64_t>& bound) { return bound ? Json(*bound) : Json(); }

std::optional<std::int64_t> bound_of(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<std::int64_t>();
}

Json to_json(const copy::LedgerPart& part) {
  return {{"relation", part.relation},        {"by", part.bounds.by},       {"from", to_json(part.bounds.from)},
          {"to", to_json(part.bounds.to)},    {"nulls", part.bounds.nulls}, {"rows", part.loaded.rows},
          {"bytes", part.loaded.bytes.count}, {"unlogged", part.unlogged}};
}

copy::LedgerPart part_of(const Json& document) {
  return {.relation = document.at("relation"),
          .bounds = {.by = document.at("by"),
                     .from = bound_of(document.at("from")),
                     .to = bound_of(document.at("to")),
                     .nulls = document.at("nulls")},
          .unlogged = document.at("unlogged"),
          .loaded = {.rows = document.at("rows"), .bytes = {document.at("bytes").get<std::int64_t>()}}};
}

bool is_all_there(const FinishedRunQuestion& question) {
  const schema::TargetObjects objects = schema::find_target_objects(question.archive, question.source, question.target);
  return objects.missing == 0 && !objects.conflicts.empty();
}

}  // namespace

void keep_finished_run(const std::filesystem::path& work_folder, const FinishedRun& run) {
  Json parts = Json::array();
  for (const copy::LedgerPart& part : run.ledger.parts) parts.push_back(to_json(part));
  write_file(file_in(work_folder), Json{{"record", run.record.to_text()}, {"parts", std::move(parts)}}.dump());
}

std::optional<FinishedRun> read_finished_run(const std::filesystem::path& work_folder) {
  if (!std::filesystem::exists(file_in(work_folder))) return std::nullopt;
  try {
    const Json document = Json::parse(read_file(file_in(work_folder)));
    FinishedRun run{.record = RunRecord::parse(document.at("record"))};
    for (const Json& part : document.at("parts")) run.ledger.parts.push_back(part_of(part));
    return run;
  } catch (const Json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

bool is_finished(const FinishedRunQuestion& question) {
  const RunFolder folder(question.options.work_folder);
  return folder.is_finished(finished_mark(question.record, question.target)) && is_all_there(question);
}

bool shows_what_was_copied(const FinishedRunQuestion& question, const Log& log) {
  const std::optional<FinishedRun> earlier = read_finished_run(question.options.work_folder);
  if (!earlier) return false;
  const pg::SnapshotMark& shown = earlier->record.shown();
  const bool has_unlogged = question.catalog.has_unlogged_tables();
  if (pg::why_not_comparable(shown, question.record.mark, has_unlogged)) return false;
  const auto change = find_change(question.source, shown, question.record.mark, question.catalog, earlier->ledger, log);
  return !change && is_all_there(question);
}

void forget_finished_run(const std::filesystem::path& work_folder) {
  std::error_code ignored;  // a file that is not there is what was wanted
  std::filesystem::remove(file_in(work_folder), ignored);
}

namespace {

// An archive of rows alone makes no objects, so rows are all that can be found; it may not tell which tables have any.
bool holds_objects_of(const ArchivedSource& archive, const PlanInput& input, pg::Connection& target) {
  if (!has_definitions(archive)) {
    return !read_existing_target(target, input.catalog, tables_to_copy(input.catalog)).filled.empty();
  }
  const schema::TargetObjects objects = schema::find_target_objects(input.archive, target);
  return objects.missing == 0 && !objects.conflicts.empty();
}

}  // namespace

bool is_restored(const ArchivedSource& archive, const std::filesystem::path& work_folder, const RunRecord& record,
                 const PlanInput& input, pg::Connection& target) {
  const bool is_there =
      RunFolder(work_folder).is_finished(finished_mark(record, target)) && holds_objects_of(archive, input, target);
  target.log().info(is_there ? "the earlier run has restored everything"
                             : "no earlier run into this database was found: the restore starts from the beginning");
  return is_there;
}

}  // namespace pgsluice::pipeline
