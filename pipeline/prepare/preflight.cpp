#include "pipeline/prepare/preflight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <set>
#include <utility>

#include "base/wait.h"
#include "copy/large_objects.h"
#include "pg/quote.h"
#include "pg/version.h"
#include "pgsluice/error.h"
#include "pipeline/plan/tasks_done.h"
#include "pipeline/prepare/carried_statistics.h"
#include "pipeline/prepare/definitions.h"
#include "pipeline/prepare/existing_rows.h"
#include "pipeline/prepare/finished_run.h"
#include "pipeline/prepare/key_spans.h"
#include "pipeline/prepare/load_via_roots.h"
#include "pipeline/prepare/mended_tables.h"
#include "pipeline/prepare/preflight_checks.h"
#include "pipeline/prepare/preflight_warnings.h"
#include "pipeline/prepare/properties_that_come.h"
#include "pipeline/prepare/read_existing_target.h"
#include "pipeline/prepare/roles.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/session_limits.h"
#include "pipeline/prepare/sessions.h"
#include "pipeline/prepare/source_checks.h"
#include "pipeline/prepare/source_snapshot.h"
#include "pipeline/prepare/target_checks.h"
#include "pipeline/prepare/target_claim.h"
#include "pipeline/prepare/target_resources.h"
#include "schema/archive/drops.h"
#include "schema/archive/internal_options.h"
#include "schema/catalog/archived_catalog.h"
#include "schema/catalog/collations.h"
#include "schema/catalog/extensions.h"
#include "schema/catalog/foreseen.h"
#include "store/archived_large_objects.h"
#include "store/archived_rows.h"

namespace pgsluice::pipeline {

namespace {

class PreflightRun {
 public:
  // Sessions of earlier tries on the target may not know yet that their connections are lost, and keep the target.
  PreflightRun(const CloneOptions& options, Intent intent, std::vector<copy::Backend> earlier_tries, Progress& progress,
               const Log& log, const CancelToken& cancel)
      : options_(options),
        intent_(intent),
        of_target_(std::move(earlier_tries)),
        progress_(progress),
        log_(log),
        cancel_(cancel) {}

  bool has_reached_both() const { return reached_both_; }
  const std::vector<copy::Backend>& sessions_of_target() const { return of_target_; }

  Preflight run() {
    progress_.enter_phase("connecting");
    connect();
    continuation_ =
        intent_ == Intent::kRun ? take_target(*target_, options_, log_) : look_at_target(*target_, options_);
    take_over_filters();
    record_ = new_record(options_);
    record_.inventory = schema::read_inventory(*target_);
    if (archive_) record_.mark = dumped_source_;
    if (continuation_) record_.inventory.see_as_before(continuation_->record.inventory);
    if (source_) hold_the_snapshot();
    progress_.enter_phase("reading the definitions");
    read_input();
    if (holder_) {
      progress_.enter_phase("locking the tables");
      if (reads_rows(options_.steps)) schema::lock_tables(*holder_, tables_to_copy(input_.catalog));
    }
    progress_.enter_phase("checking the target");
    if (nothing_is_left()) return finish(nullptr);
    check();
    choose_parts();
    read_properties();
    progress_.enter_phase("planning");
    std::unique_ptr<const Plan> plan = make_plan(std::move(input_), options_, cancel_);
    if (source_ && reads_rows(options_.steps)) check_wide_rows(*source_, plan->tables, plan->catalog.types);
    return finish(std::move(plan));
  }

 private:
  Preflight finish(std::unique_ptr<const Plan> plan) {
    std::set<std::string> copied;
    std::vector<RestoredTable> restored;
    if (!plan && archive_) restored = restored_tables(*archive_, input_.catalog);
    if (!plan) {
      // Trees of partitions are compared as one.
      for (const schema::Relation& table : input_.catalog.relations) {
        if (table.rows_wanted) copied.insert(table.display());
      }
    }
    return Preflight{.holder = std::move(holder_),
                     .source = std::move(source_),
                     .archive = std::move(archive_),
                     .target = std::move(*target_),
                     .encoding = encoding_,
                     .options = options_,
                     .plan = std::move(plan),
                     .copied = std::move(copied),
                     .restored = std::move(restored),
                     .record = std::move(record_),
                     .continuation = std::move(continuation_)};
  }

  void connect() {
    const pg::ConnInfo target_info = conninfo_of(options_, Side::kTarget);
    if (options_.definitions_from_work_folder) {
      dumped_ = read_dumped_schema(options_);
      options_.filters = dumped_.filters;
      dumped_source_ = dumped_.source;
      encoding_ = dumped_.catalog.database.encoding;
    } else if (!options_.archive.empty()) {
      open_archive();
    } else {
      source_ = open_reader(conninfo_of(options_, Side::kSource), "catalog", "", log_, cancel_);
      encoding_ = server_encoding(*source_);
      log_.info(fmt::format("source: PostgreSQL {} at {}, database {}", source_->server_version_text(),
                            source_->address(), source_->database()));
    }
    target_ = open_session(target_info, "definitions", encoding_, log_, cancel_);
    log_.info(fmt::format("target: PostgreSQL {} at {}, database {}", target_->server_version_text(),
                          target_->address(), target_->database()));
    reached_both_ = true;
    copy::end_sessions(*target_, of_target_);
    of_target_ = {copy::session_of(*target_)};
    if (archive_) {
      check_target_server(*target_);
      if (std::optional<std::string> warning = warn_of_an_old_target(*target_)) warn(std::move(*warning));
      if (std::optional<std::string> warning = warn_of_target_of_archive(*archive_, *target_))
        warn(std::move(*warning));
      if (options_.roles && intent_ == Intent::kRun) make_roles();
    }
    if (!source_) return;
    check_servers(*source_, *target_);
    if (std::optional<std::string> warning = warn_of_an_old_target(*target_)) warn(std::move(*warning));
    for (std::string& limit : check_session_limits(*source_, *target_, options_)) warn(std::move(limit));
    if (intent_ != Intent::kRun) return;
    if (options_.analyze_source) analyze_source();
    if (options_.roles) make_roles();
  }

  void open_archive() {
    archive_ = open_archived_source(options_, log_);
    if (!has_definitions(*archive_)) {
      options_.steps.erase(Step::kPreData);
      options_.database_properties = false;
    }
    dumped_ = read_archived_definitions(*archive_);
    dumped_source_ = mark_of_archive(*archive_);
    encoding_ = schema::encoding_of(archive_->data.archive());
    options_.format = copy::FormatWish::kText;
    if (options_.roles) archived_roles_ = read_archived_roles(*archive_);
    if (!options_.verify || archive_->data.manifest() != nullptr) return;
    options_.verify = false;
    dumped_.warnings.emplace_back("rows are not verified: only an archive of pgsluice tells what they were");
  }

  void analyze_source() {
    progress_.enter_phase("analyzing the source");
    try {
      pg::Connection session = open_reader(source_->pinned_conninfo(), "analyze", "", log_, cancel_);
      session.execute("SET default_transaction_read_only = off");
      session.execute("ANALYZE");
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kServer) throw;
      log_.warning(fmt::format("the source was not analyzed: {}", error.what()));
    }
  }

  // Roles come before everything else; what of them could not be taken over is told with the rest.
  void make_roles() {
    const RolesRequest request = roles_request(options_);
    const schema::RolesOutcome roles =
        archive_ ? restore_roles(archived_roles_, request, log_, cancel_) : copy_roles(request, log_, cancel_);
    progress_.add_roles_made(roles.created.size());
    for (const std::string& lost : roles.not_given) input_.warnings.push_back("not taken over: " + lost);
    for (const Error& error : roles.failed) progress_.add_failed({"roles", error});
  }

  // Each command of a stepwise copy leaves out what the commands before it have.
  void take_over_filters() {
    if (!is_stepwise(options_) || !options_.filters.empty() || !source_) return;
    const std::string before =
        continuation_ ? continuation_->record.filters
                      : RunFolder(options_.work_folder).filters(databases_mark(pg::identity_of(*source_), *target_));
    if (before.empty() || options_.earlier_run == EarlierRun::kForget) return;
    options_.filters = schema::parse_filter_rules(before, "the filter of the commands before");
    log_.info("what the commands before have left out by their filter stays left out");
  }

  void hold_the_snapshot() {
    holder_ = open_session(source_->pinned_conninfo(), "snapshot", encoding_, log_, cancel_);
    record_.mark = hold_snapshot(*holder_, options_, continuation_, log_);
    progress_.hold_snapshot();
    pg::import_snapshot(*source_, record_.mark.snapshot);
    completed_mark_ = complete_beside(*holder_, record_.mark);
  }

  // The archive and the catalog: of the source, or of the work folder.
  void read_input() {
    Definitions definitions;
    if (source_) {
      const DefinitionsRequest request{.snapshot = record_.mark.snapshot.name,
                                       .encoding = encoding_,
                                       .extensions_on_target = schema::extensions_of(record_.inventory)};
      definitions = read_definitions(*source_, request, options_, log_, cancel_);
      record_.mark = completed_mark_.get();
    } else if (archive_) {
      definitions = std::move(dumped_);
      select_from_archive(definitions, options_, schema::extensions_of(record_.inventory));
      find_configuration_tables(*archive_, *target_, definitions.catalog);
      for (const std::string& warning : definitions.warnings) log_.warning(warning);
    } else {
      definitions = std::move(dumped_);
      log_.info(fmt::format("definitions of the database {} from {}", definitions.archive.database,
                            RunFolder(options_.work_folder).schema_folder().string()));
    }
    input_.archive = std::move(definitions.archive);
    schema::apply(options_.extension_versions, input_.archive);
    if (target_->server_version() < pg::since::kUnloggedSequences) {
      schema::leave_out_persistence_of_sequences(input_.archive);
    }
    input_.catalog = std::move(definitions.catalog);
    input_.selection = std::move(definitions.selection);
    std::move(definitions.warnings.begin(), definitions.warnings.end(), std::back_inserter(input_.warnings));
    check_continuation();
    if (options_.ledger && copy::read_ledger(*target_)) {
      record_.inventory.schemas.erase(std::string(copy::kLedgerSchema));
    }
    input_.inventory = record_.inventory;
    if (intent_ != Intent::kRun && options_.roles) {
      // A run makes them before it looks.
      for (const schema::RoleUse& role : input_.catalog.roles) input_.inventory.roles.insert(role.name);
      for (const schema::TocEntry& entry : input_.archive.entries) input_.inventory.roles.insert(entry.owner);
    }
    const bool loads = (source_ || archive_) && options_.steps.contains(Step::kTableData);
    const bool properties_come = loads && options_.database_properties && !is_stepwise(options_);
    for (std::string& warning : adopt_expression_settings(
             *target_, input_.catalog.expression_settings, loads ? Loads::kRows : Loads::kNothing,
             properties_come ? names_of_settings_that_come(source_, input_.archive) : std::set<std::string>())) {
      warn(std::move(warning));
    }
    input_.target_database = target_->database();
    input_.target_version = target_->server_version();
    input_.target_resources = read_resources(*target_);
    if (!source_ && !archive_) return;
    if (source_) load_through_roots_where_rows_move(*source_, *target_, input_.catalog);
    if (archive_) load_through_roots_where_rows_may_move(input_.catalog);
    load_whole_trees_through_their_roots(input_.catalog);
  }

  void warn(std::string warning) {
    log_.warning(warning);
    input_.warnings.push_back(std::move(warning));
  }

  // Rows of two snapshots belong together only where both show the same.
  void check_continuation() {
    const pg::SnapshotMark source = source_ ? record_.mark : dumped_source_;
    if (continuation_) require_same_source(continuation_->record.mark, source);
    if (archive_) return;  // which never shows other rows
    if (!is_stepwise(options_)) {
      if (continuation_) {
        check_same_rows(*continuation_, record_, *source_, input_.catalog, options_, log_);
      }
      return;
    }
    const bool rows_were_read = continuation_ && !continuation_->record.mark.snapshot.name.empty();
    if (!reads_rows(options_.steps)) {
      const pg::SnapshotMark identity{.snapshot = {.system_identifier = source.snapshot.system_identifier},
                                      .database = source.database};
      record_.mark = rows_were_read ? continuation_->record.mark : identity;
    } else if (rows_were_read) {
      check_same_rows(*continuation_, record_, *source_, input_.catalog, options_, log_);
    }
  }

  bool nothing_is_left() {
    if (continuation_ || options_.earlier_run != EarlierRun::kResume || is_stepwise(options_)) return false;
    if (archive_) return is_restored(*archive_, options_.work_folder, record_, input_, *target_);
    const FinishedRunQuestion question{.options = options_,
                                       .record = record_,
                                       .archive = input_.archive,
                                       .catalog = input_.catalog,
                                       .source = *source_,
                                       .target = *target_};
    if (is_finished(question)) {
      log_.info(options_.verify ? "the earlier run has done everything"
                                : "the earlier run has done everything: nothing is left to do. Its objects are there; "
                                  "their rows were not compared");
      return true;
    }
    const bool has_ended = RunFolder(options_.work_folder).is_finished_of(databases_mark(record_.mark, *target_));
    if (has_ended && shows_what_was_copied(question, log_)) {
      log_.info("the earlier run has done everything, and the source shows what it has copied: nothing is left to do");
      return true;
    }
    if (has_ended) {
      throw Error(ErrorKind::kState,
                  "an earlier run into this database has come to its end, and the source has changed "
                  "since: there is nothing to go on with")
          .on(Side::kTarget)
          .remedy(Remedy::kCompareData)
          .remedy(Remedy::kStartOver);
    }
    log_.info("there is no earlier run into this database: the clone begins anew");
    return false;
  }

  void check() {
    const Steps& steps = options_.steps;
    const bool makes = steps.contains(Step::kPreData);
    if (!continuation_ && makes && !options_.drop_if_exists) {
      check_conflicts(source_, *target_, input_, options_);
    }
    if (makes && options_.drop_if_exists && !continuation_) {
      input_.drops = schema::drop_statements(input_.archive, options_.restore);
    }
    if (makes) check_target(*target_, input_, options_);
    if (!continuation_) check_ledger_schema(*target_, input_, options_);
    if (!makes) read_existing();
    check_large_objects();
    if (steps.contains(Step::kTableData)) check_configuration();
    // An archive that is not pgsluice's does not tell.
    const bool is_locale_known = !input_.catalog.database.ctype.empty();
    const schema::DatabaseInfo there = schema::read_database_info(*target_);
    if (is_locale_known) {
      for (std::string& difference : schema::differences_of(input_.catalog.database, there))
        warn(std::move(difference));
    }
    input_.carries_statistics = carries_statistics(options_, {.source = source_ ? &input_.catalog.database : nullptr,
                                                              .target = there,
                                                              .target_version = target_->server_version()});
    input_.roles_out_of_reach = schema::roles_out_of_reach(*target_);
    input_.roles_out_of_reach.insert(input_.catalog.lost_roles.begin(), input_.catalog.lost_roles.end());
    if (source_ && makes) {
      for (std::string& foreseen : schema::foresee(*source_, *target_)) warn(std::move(foreseen));
    }
    if (makes && options_.restore.owners) {
      for (std::string& warning : find_owners_without_create(source_, *target_, input_)) warn(std::move(warning));
    }
  }

  // Objects that the commands before this one, or others, have made.
  void read_existing() {
    const bool rows = options_.steps.contains(Step::kTableData);
    std::vector<const schema::Relation*> tables;
    if (rows) tables = tables_to_copy(input_.catalog);
    input_.existing = read_existing_target(*target_, input_.catalog, tables);
    require_tables_exist(*target_, input_.catalog, options_.steps);
    if (continuation_) input_.tasks_done = continuation_->ledger.tasks;
    if (!rows) return;
    std::set<schema::Oid> loaded;
    if (continuation_) {
      for (const copy::LedgerPart& part : continuation_->ledger.parts) loaded.insert(part.relation);
    }
    refuse_keys_in_a_circle(input_, loaded);
    input_.tables_to_empty = tables_to_empty(input_.catalog, *input_.existing, loaded);
    const bool may_empty = options_.drop_if_exists || options_.steps == Steps{Step::kTableData} ||
                           options_.earlier_run == EarlierRun::kResume;
    if (!may_empty) refuse_rows_that_are_there(input_);
  }

  // Large objects of this run are in its way only if it has not begun them.
  void check_large_objects() {
    if (!options_.steps.contains(Step::kLargeObjects) || !options_.large_objects || (!source_ && !archive_)) return;
    const bool begun = continuation_ && continuation_->record.has_begun(Step::kLargeObjects);
    if (!begun && !options_.drop_if_exists) {
      refuse_large_objects_that_are_there(
          source_ ? copy::find_large_objects(*source_) : store::large_objects_of(archive_->data.archive()), *target_);
    }
  }

  // Rows that extensions which were there before have in their configuration are not copied beside the same.
  void check_configuration() {
    if (!source_ && !archive_) return;
    std::set<schema::Oid> loaded;
    if (continuation_) {
      for (const copy::LedgerPart& part : continuation_->ledger.parts) loaded.insert(part.relation);
    }
    for (schema::Relation& table : input_.catalog.relations) {
      if (!table.extension_condition || !table.rows_wanted || loaded.contains(table.oid)) continue;
      const auto digest_of_source = [&] {
        return source_ ? digest_of_configuration(*source_, table)
                       : store::digest_of_rows(archive_->data, *archive_->entries.tables.at(table.oid));
      };
      if (!has_same_configuration(table, *target_, record_.inventory.extensions, digest_of_source)) continue;
      table.rows_wanted = false;
      input_.warnings.push_back(fmt::format("rows of {}: the extension there has them already", table.display()));
    }
  }

  void choose_parts() {
    if (!options_.steps.contains(Step::kTableData)) return;
    if (archive_) {
      if (continuation_) input_.loaded = loaded_parts(continuation_->ledger, input_.catalog, Trust::kEveryPart);
      input_.framed = tables_in_frames(*archive_);
      return;
    }
    const pg::Result compression =
        source_->execute("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'default_toast_compression'");
    if (!compression.empty()) input_.source_toast_compression = compression[0].text(0);
    if (continuation_ && continuation_->inconsistent) {
      std::set<schema::Oid> mended;
      if (continuation_->record.was_all_tried) {
        mended = find_mended_tables(*source_, *target_, continuation_->record.shown(), record_.mark, input_.catalog,
                                    continuation_->ledger);
      }
      input_.loaded = loaded_parts(continuation_->ledger, input_.catalog, Trust::kWholeTables, mended);
    } else if (continuation_) {
      input_.loaded = loaded_parts(continuation_->ledger, input_.catalog, Trust::kEveryPart);
    }
    input_.key_spans = read_key_spans(*source_,
                                      {.source = input_.catalog,
                                       .target_version = input_.target_version,
                                       .table_jobs = options_.table_jobs,
                                       .format = options_.format,
                                       .split = options_.split,
                                       .key_spans = {}},
                                      log_);
  }

  // Only for whole clones: the next command of a stepwise copy may run as another user.
  void read_properties() {
    if (!options_.database_properties || is_stepwise(options_)) return;
    schema::RestoreOptions restore = options_.restore;
    restore.out_of_reach = input_.roles_out_of_reach;
    input_.properties = properties_that_come(source_, *target_, input_.archive, restore);
    if (!source_) return;
    for (std::string& freeze : schema::read_freezes(*source_, input_.target_database)) warn(std::move(freeze));
    if (const auto drop = schema::drop_of_public_schema(*source_, *target_)) input_.properties.push_back(*drop);
  }

  ResolvedOptions options_;
  const Intent intent_;
  bool reached_both_ = false;
  std::vector<copy::Backend> of_target_;
  Progress& progress_;
  const Log& log_;
  const CancelToken& cancel_;

  Definitions dumped_;
  pg::SnapshotMark dumped_source_;
  std::shared_ptr<const ArchivedSource> archive_;
  std::string archived_roles_;
  std::optional<pg::Connection> source_;
  std::optional<pg::Connection> target_;
  std::optional<pg::Connection> holder_;
  std::future<pg::SnapshotMark> completed_mark_;
  std::string encoding_;
  std::optional<Continuation> continuation_;
  RunRecord record_;
  PlanInput input_;
};

}  // namespace

Preflight run_preflight(const CloneOptions& options, Intent intent, Progress& progress, const Log& log,
                        const CancelToken& cancel) {
  const auto end = SteadyClock::now() + options.retry_for;
  std::vector<copy::Backend> of_target;
  bool has_reached_both = false;
  while (true) {
    PreflightRun run(options, intent, of_target, progress, log, cancel);
    try {
      return run.run();
    } catch (Error& error) {
      // A server that was never reached usually has a wrong name; one that was reached once may be away for a while.
      has_reached_both = has_reached_both || run.has_reached_both();
      const bool lost = has_reached_both && error.poisons_connection() && error.is_retryable();
      if (!lost || SteadyClock::now() > end) {
        if (progress.roles_made() == 0) error.unchanged();
        throw;
      }
      if (run.has_reached_both()) of_target = run.sessions_of_target();
      log.warning(fmt::format("the checks before the start begin again: {}", error.describe()));
    }
    pause(cancel, kPauseBeforeRetry);
  }
}

}  // namespace pgsluice::pipeline
