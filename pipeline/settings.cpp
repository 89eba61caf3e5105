#include "pipeline/settings.h"

#include <chrono>
#include <map>
#include <sstream>
#include <vector>

#include "base/complaints.h"
#include "pgsluice/error.h"
#include "pipeline/plan/options.h"
#include "schema/catalog/extensions.h"

namespace pgsluice::pipeline {

namespace {

using Flag = Setting::Flag;
using Text = Setting::Text;
using WholeNumber = Setting::WholeNumber;
using Word = Setting::Word;
using enum SettingGroup;

constexpr const char* kOverwriteSays = "OverwriteDBsInTarget says what becomes of databases that are there";

void set_transport(CloneOptions& options, const std::string& word) {
  static const std::map<std::string, copy::Transport> kTransports = {{"auto", copy::Transport::kAuto},
                                                                     {"io_uring", copy::Transport::kIoUring},
                                                                     {"poll", copy::Transport::kPoll},
                                                                     {"libpq", copy::Transport::kLibpq}};
  options.transport = kTransports.at(word);
}

// "auto" is what stands there: --use-copy-binary may have said more.
void set_format(CloneOptions& options, const std::string& word) {
  if (word == "text") options.format = copy::FormatWish::kText;
  if (word == "binary") options.format = copy::FormatWish::kBinary;
}

void set_split_size(CloneOptions& options, const std::string& text) {
  options.split = parse_split(text, options.split.max_parts, options.split.by_ctid);
}

// Each takes effect after those above it.
constexpr Setting kSettings[] = {
    {.names = "-S,--source",
     .group = kConnections,
     .help = "Source database, URI or keywords",
     .value = Text{[](CloneOptions& o, const std::string& text) { o.source = text; }},
     .variable = "SOURCE_PGURI",
     .why_not_for_migrations = "SourceDBServerResourceId names the source"},
    {.names = "-T,--target",
     .group = kConnections,
     .help = "Target database, URI or keywords",
     .value = Text{[](CloneOptions& o, const std::string& text) { o.target = text; }},
     .variable = "TARGET_PGURI",
     .why_not_for_migrations = "TargetDbServerResourceId names the target"},
    {.names = "-D,--dir",
     .group = kConnections,
     .help = "Work directory (default $TMPDIR/pgsluice)",
     .value = Text{[](CloneOptions& o, const std::string& text) { o.work_folder = text; }},
     .variable = "DIR",
     .why_not_for_migrations = "the store has a work directory for each migration"},
    {.names = "--pg-bindir",
     .group = kConnections,
     .help = "Folder of pg_dump",
     .value = Text{[](CloneOptions& o, const std::string& text) {
       if (!text.empty()) o.pg_bindir = text;
     }},
     .names_file = true},

    {.names = "-J,--table-jobs,--jobs",
     .group = kRows,
     .help = "Tables copied at a time (1 to 256, default 4)",
     .value = WholeNumber{1, kMaxJobs, [](CloneOptions& o, int number) { o.table_jobs = number; }},
     .variable = "TABLE_JOBS"},
    {.names = "--max-rate",
     .group = kRows,
     .help = "Rows and large objects in a second at most, such as \"50 MB\" ('pgsluice control' changes it)",
     .value = Text{[](CloneOptions& o, const std::string& text) { o.pace.max_rate = parse_bytes(text); }},
     .variable = "MAX_RATE"},
    {.names = "--max-source-sessions",
     .group = kRows,
     .help = "Sessions of the source at a time at most (3 or more; 'pgsluice control' changes it)",
     .value = WholeNumber{kFewestSourceSessions, INT32_MAX,
                          [](CloneOptions& o, int number) { o.pace.max_source_sessions = number; }},
     .variable = "MAX_SOURCE_SESSIONS"},
    {.names = "--use-copy-binary",
     .group = kRows,
     .help = "--copy-format binary",
     .value = Flag{[](CloneOptions& o) { o.format = copy::FormatWish::kBinary; }},
     .variable = "USE_COPY_BINARY"},
    {.names = "--copy-format",
     .group = kRows,
     .help = "auto or binary: binary wherever it is safe; text: never binary",
     .value = Word{"auto,text,binary", set_format},
     .excludes = "--use-copy-binary"},
    {.names = "--split-tables-larger-than,--split-at",
     .group = kRows,
     .help = "auto, a size such as \"10 GB\", or 0 for never",
     .value = Text{set_split_size},
     .variable = "SPLIT_TABLES_LARGER_THAN"},
    {.names = "--split-max-parts",
     .group = kRows,
     .help = "Parts of one table at most (0: no limit)",
     .value = WholeNumber{0, INT32_MAX, [](CloneOptions& o, int number) { o.split.max_parts = number; }},
     .variable = "SPLIT_MAX_PARTS"},
    {.names = "--skip-split-by-ctid",
     .group = kRows,
     .help = "Split only by integer keys",
     .value = Flag{[](CloneOptions& o) { o.split.by_ctid = false; }},
     .variable = "SKIP_CTID_SPLIT"},
    {.names = "--transport",
     .group = kRows,
     .help = "auto, io_uring, poll or libpq: how rows cross this process",
     .value = Word{"auto,io_uring,poll,libpq", set_transport}},
    {.names = "--toast-compression",
     .group = kRows,
     .help = "auto (lz4 where the target has it) or source (as the source's default)",
     .value = Word{"auto,source",
                   [](CloneOptions& o, const std::string& word) {
                     if (word == "source") o.toast_compression = ToastCompression::kSource;
                   }}},
    {.names = "--estimate-table-sizes",
     .group = kRows,
     .help = "Run ANALYZE on the source first, for its sizes",
     .value = Flag{[](CloneOptions& o) { o.analyze_source = true; }},
     .variable = "ESTIMATE_TABLE_SIZES"},
    {.names = "--skip-analyze",
     .group = kRows,
     .help = "Do not, whatever PGCOPYDB_ESTIMATE_TABLE_SIZES says",
     .value = Flag{[](CloneOptions& o) { o.analyze_source = false; }},
     .variable = "SKIP_ANALYZE"},
    {.names = "--verify",
     .group = kRows,
     .help = "Read the target's rows back and compare them with what the source sent",
     .value = Flag{[](CloneOptions& o) { o.verify = true; }}},

    {.names = "-I,--index-jobs",
     .group = kBuilds,
     .help = "Indexes and constraints built at a time (1 to 256, default 4)",
     .value = WholeNumber{1, kMaxJobs, [](CloneOptions& o, int number) { o.index_jobs = number; }},
     .variable = "INDEX_JOBS"},
    {.names = "--restore-jobs",
     .group = kBuilds,
     .help = "Taken as pgcopydb does; definitions use the sessions of --index-jobs",
     .value = WholeNumber{1, kMaxJobs, [](CloneOptions&, int) {}},
     .variable = "RESTORE_JOBS"},
    {.names = "--large-objects-jobs",
     .group = kBuilds,
     .help = "Taken as pgcopydb does; large objects cross in bulk on a session of --table-jobs",
     .value = WholeNumber{1, kMaxJobs, [](CloneOptions&, int) {}},
     .variable = "LARGE_OBJECTS_JOBS"},
    {.names = "--memory",
     .group = kBuilds,
     .help = "For all index builds together, such as \"4 GB\" (default: by the target's settings)",
     .value = Text{[](CloneOptions& o, const std::string& text) {
       if (!text.empty()) o.index_memory = parse_bytes(text);
     }}},
    {.names = "--allow-orphans",
     .group = kBuilds,
     .help = "A foreign key with rows that have no parent is only a warning",
     .value = Flag{[](CloneOptions& o) { o.allow_orphans = true; }}},

    {.names = "--resume",
     .group = kRuns,
     .help = "Continue an earlier run into the target that was interrupted",
     .value = Flag{[](CloneOptions& o) { o.earlier_run = EarlierRun::kResume; }},
     .why_not_for_migrations = "'migration create --resume' takes a migration up again"},
    {.names = "--restart",
     .group = kRuns,
     .help = "Forget an earlier run into the target",
     .value = Flag{[](CloneOptions& o) { o.earlier_run = EarlierRun::kForget; }},
     .excludes = "--resume",
     .why_not_for_migrations = "a migration makes its databases over"},
    {.names = "--not-consistent",
     .group = kRuns,
     .help = "Continue although the source has changed: tables show different moments then",
     .value = Flag{[](CloneOptions& o) { o.not_consistent = true; }},
     .why_not_for_migrations = "a migration's databases are each of one moment"},
    {.names = "--snapshot",
     .group = kRuns,
     .help = "A snapshot that another session of the source holds",
     .value = Text{[](CloneOptions& o, const std::string& text) { o.snapshot = text; }},
     .variable = "SNAPSHOT",
     .why_not_for_migrations = "a snapshot is of one database"},
    {.names = "--retry-for",
     .group = kRuns,
     .help = "When the connection is lost, give up this many seconds after the last success (300)",
     .value =
         WholeNumber{0, INT32_MAX, [](CloneOptions& o, int number) { o.retry_for = std::chrono::seconds(number); }}},
    {.names = "--no-ledger",
     .group = kRuns,
     .help = "No schema pgsluice on the target while this runs: it cannot be resumed then",
     .value = Flag{[](CloneOptions& o) { o.ledger = false; }},
     .excludes = "--resume",
     .why_not_for_migrations = "a migration is resumed by its ledger"},
    {.names = "--fail-fast",
     .group = kRuns,
     .help = "Stop at the first failed object",
     .value = Flag{[](CloneOptions& o) { o.on_failure = FailurePolicy::kStopAtFirst; }},
     .variable = "FAIL_FAST"},
    {.names = "--trace-file",
     .group = kRuns,
     .help = "Write what each worker did and waited for (https://ui.perfetto.dev)",
     .value = Text{[](CloneOptions& o, const std::string& text) {
       if (!text.empty()) o.trace_file = text;
     }},
     .names_file = true},

    {.names = "--roles",
     .group = kRolesFirst,
     .help = "Copy the server's roles first",
     .value = Flag{[](CloneOptions& o) { o.roles = true; }},
     .why_not_for_migrations = "MigrateRoles says whether roles are migrated"},
    {.names = "--no-role-passwords",
     .group = kRoles,
     .help = "Roles get no passwords, which only a superuser may read",
     .value = Flag{[](CloneOptions& o) { o.role_passwords = false; }}},

    {.names = "--filters,--filter",
     .group = kOmissions,
     .help = "File that names what is left out, or what alone is copied (docs/filters.md)",
     .value = Text{[](CloneOptions& o, const std::string& text) {
       if (!text.empty()) o.filters = schema::read_filter_rules(text);
     }},
     .names_file = true},
    {.names = "--drop-if-exists",
     .group = kOmissions,
     .help = "Drop what the target has of that which is made, truncate tables that hold rows",
     .value = Flag{[](CloneOptions& o) { o.drop_if_exists = true; }},
     .variable = "DROP_IF_EXISTS",
     .why_not_for_migrations = kOverwriteSays},
    {.names = "--no-owner",
     .group = kOmissions,
     .help = "Objects belong to the target's user",
     .value = Flag{[](CloneOptions& o) { o.restore.owners = false; }}},
    {.names = "--no-acl",
     .group = kOmissions,
     .help = "No privileges (GRANT, REVOKE)",
     .value = Flag{[](CloneOptions& o) { o.restore.acls = false; }}},
    {.names = "--no-comments", .group = kOmissions, .help = "No comments", .value = Flag{[](CloneOptions& o) {
                                                                             o.restore.comments = false;
                                                                           }}},
    {.names = "--no-tablespaces",
     .group = kOmissions,
     .help = "Everything into the default tablespace",
     .value = Flag{[](CloneOptions& o) { o.restore.tablespaces = false; }},
     .variable = "SKIP_TABLESPACES"},
    {.names = "--skip-extensions",
     .group = kOmissions,
     .help = "No extensions: those that are needed have to be on the target",
     .value = Flag{[](CloneOptions& o) { o.extensions = false; }}},
    {.names = "--requirements",
     .group = kOmissions,
     .help = "File that names versions of extensions (list extensions --requirements --json)",
     .value = Text{[](CloneOptions& o, const std::string& text) {
       if (!text.empty()) o.extension_versions = schema::read_requirements(text);
     }},
     .names_file = true},
    {.names = "--skip-ext-comments,--skip-ext-comment",
     .group = kOmissions,
     .help = "No comments on extensions",
     .value = Flag{[](CloneOptions& o) { o.restore.extension_comments = false; }}},
    {.names = "--skip-collations",
     .group = kOmissions,
     .help = "No collations: those that are needed have to be on the target",
     .value = Flag{[](CloneOptions& o) { o.restore.collations = false; }}},

    {.names = "--skip-large-objects,--skip-blobs",
     .group = kLargeObjects,
     .help = "No large objects",
     .value = Flag{[](CloneOptions& o) { o.large_objects = false; }}},
    {.names = "--skip-vacuum",
     .group = kVacuum,
     .help = "No VACUUM ANALYZE on the target",
     .value = Flag{[](CloneOptions& o) { o.statistics = Statistics::kNone; }},
     .variable = "SKIP_VACUUM"},
    {.names = "--statistics",
     .group = kVacuum,
     .help = "carry: write the source's statistics to a target of 18 and later; analyze: gather them there; none: neither "
             "them nor VACUUM (default: carry where encodings and collations agree)",
     .value = Word{"carry,analyze,none",
                   [](CloneOptions& o, const std::string& word) {
                     o.statistics = word == "carry"     ? Statistics::kCarry
                                    : word == "analyze" ? Statistics::kAnalyze
                                                        : Statistics::kNone;
                   }},
     .variable = "STATISTICS",
     .excludes = "--skip-vacuum"},
    {.names = "--skip-db-properties",
     .group = kProperties,
     .help = "No owner, settings, privileges of the database itself",
     .value = Flag{[](CloneOptions& o) { o.database_properties = false; }},
     .variable = "SKIP_DB_PROPERTIES"},
};

std::vector<std::string> split(const char* list) {
  std::vector<std::string> parts;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

std::vector<std::string> words_of(const Setting::Word& word) { return split(word.words); }

copy::SplitOptions parse_split(const std::string& larger_than, int max_parts, bool by_ctid) {
  using When = copy::SplitOptions::When;
  copy::SplitOptions split{.max_parts = max_parts, .by_ctid = by_ctid};
  if (larger_than == "auto") return split;
  split.size = parse_bytes(larger_than);
  split.when = split.size.count == 0 ? When::kNever : When::kLarger;
  return split;
}

std::vector<std::string> long_names(const Setting& setting) {
  std::vector<std::string> names;
  for (const std::string& name : split(setting.names)) {
    if (name.starts_with("--")) names.push_back(name.substr(2));
  }
  return names;
}

namespace {

void require(const std::string& complaint) {
  if (!complaint.empty()) throw Error(ErrorKind::kUsage, complaint);
}

struct Apply {
  const std::string& text;
  CloneOptions& options;

  void operator()(const Flag& flag) const {
    require(complaint_about_word(text, {"true", "false"}, LetterCase::kIgnored));
    const bool is_true = text.front() == 't' || text.front() == 'T';
    if (is_true) flag.apply(options);
  }
  void operator()(const WholeNumber& number) const {
    require(complaint_about_number(text, number.min, number.max));
    number.apply(options, std::stoi(text));
  }
  void operator()(const Word& word) const {
    require(complaint_about_word(text, words_of(word)));
    word.apply(options, text);
  }
  void operator()(const Text& any) const { any.apply(options, text); }
};

}  // namespace

void apply(const Setting& setting, const std::string& text, CloneOptions& options) {
  std::visit(Apply{text, options}, setting.value);
}

void require_consistent(const CloneOptions& options) {
  if (!options.extensions && options.filters.has(schema::FilterSection::kIncludeOnlyExtension)) {
    throw Error(ErrorKind::kUsage, "skip-extensions and a filter's [include-only-extension] exclude one another");
  }
}

}  // namespace pgsluice::pipeline
