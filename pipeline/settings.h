#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "pgsluice/options.h"

namespace pgsluice::pipeline {

/// Settings that commands take together. `clone`, `check` and migrations take all; each command of a stepwise copy
/// takes those of its steps (tools/pgsluice/step_commands.cpp).
enum class SettingGroup {
  kConnections,
  kRows,          ///< how rows are read and sent
  kBuilds,        ///< how indexes and constraints are built
  kRuns,          ///< what becomes of an earlier run, of lost connections, of failed objects
  kRolesFirst,    ///< that roles are copied before a clone
  kRoles,         ///< how roles are copied
  kOmissions,     ///< filters, and what definitions go without
  kLargeObjects,  ///< that there are none
  kVacuum,        ///< that there is none
  kProperties,    ///< of the database itself: that there are none
};

/// Something that a person can set about a copy. Commands take it as an option or from a variable, a migration as a key
/// of "engine" in its properties.
struct Setting {
  /// True or false; what is false changes nothing.
  struct Flag {
    void (*apply)(CloneOptions&);
  };
  struct WholeNumber {
    int min;
    int max;
    void (*apply)(CloneOptions&, int);
  };
  /// One of a few words, which `words` has with commas between.
  struct Word {
    const char* words;
    void (*apply)(CloneOptions&, const std::string&);
  };
  /// Any text; `apply` throws Error(kUsage, kConfig) for one that it does not understand.
  struct Text {
    void (*apply)(CloneOptions&, const std::string&);
  };
  using Value = std::variant<Flag, WholeNumber, Word, Text>;

  const char* names;  ///< "-J,--table-jobs,--jobs"
  SettingGroup group;
  const char* help;
  Value value;
  const char* variable = nullptr;  ///< "TABLE_JOBS", for PGSLUICE_TABLE_JOBS and PGCOPYDB_TABLE_JOBS
  const char* excludes = nullptr;  ///< the option that cannot be given with it
  /// Why a migration does not take it; nullptr if it does.
  const char* why_not_for_migrations = nullptr;
  /// True if the value names a file of this machine, which a request from elsewhere may not.
  bool names_file = false;
};

/// All settings, in the order in which they take effect. A new one is a row in settings.cpp.
std::span<const Setting> settings();

/// Returns the long names without hyphens: "table-jobs", "jobs".
std::vector<std::string> long_names(const Setting& setting);
/// Returns the words that a setting takes.
std::vector<std::string> words_of(const Setting::Word& word);

/// --split-tables-larger-than: "auto", a size, or 0 for never. Throws Error(kUsage).
copy::SplitOptions parse_split(const std::string& larger_than, int max_parts = 0, bool by_ctid = true);

/// Throws Error(kUsage) for settings that exclude one another.
void require_consistent(const CloneOptions& options);

/// Sets what the text says. Throws Error(kUsage, kConfig) for a text that is none of the setting's values.
void apply(const Setting& setting, const std::string& text, CloneOptions& options);

}  // namespace pgsluice::pipeline
