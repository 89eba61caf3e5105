#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "pgsluice/base/cancel.h"
#include "pgsluice/base/log.h"
#include "pgsluice/pg/connection.h"

namespace pgsluice::pipeline {

/// An empty database beside another one on its server, with the same encoding and locale, for definitions that the
/// server is to print in its own words. Dropped by the destructor; what a killed process has left is dropped by the
/// next one that is made on the server. One thread.
class ScratchDatabase {
 public:
  /// Makes it. `beside` is a session in the other database, and outlives the object.
  /// Throws Error(kServer), 42501 where the user may not create databases.
  explicit ScratchDatabase(pg::Connection& beside);
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;
  ~ScratchDatabase();

  const std::string& name() const { return name_; }
  /// Leads to it, as the same user.
  pg::ConnInfo conninfo() const;

  /// Makes the definitions of an archive in it, as pg_restore would: `pg_restore` writes them as SQL, which is carried
  /// out entry by entry. Returns the entries that have failed, as TocEntry::describe() names them. Without
  /// subscriptions, event triggers and the contents of materialized views. Throws Error(kConnection, kConfig,
  /// kCancelled).
  /// `replacements` stand in the place of the definitions of entries, by describe().
  std::set<std::string> restore(const std::string& archive, const std::filesystem::path& pg_restore,
                                const std::map<std::string, std::string>& replacements, const Log& log,
                                const CancelToken& cancel);

 private:
  void adopt_settings();

  pg::Connection& beside_;
  std::string name_;
};

}  // namespace pgsluice::pipeline
