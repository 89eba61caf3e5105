#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "schema/archive/archive.h"

namespace pgsluice::pipeline {

/// The entries of an archive that differ in a scratch database from what they would be on a target; entries by
/// TocEntry::describe().
struct ScratchContents {
  std::set<std::string> missing;  ///< left out, or refused by the server
  /// Privileges on objects that this user could not give to their owners.
  std::set<std::string> other_owner;
};

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

  /// Makes the definitions of an archive in it, one by one as pg_restore would; what fails costs the others nothing.
  /// Without subscriptions, event triggers and the contents of materialized views. `replacements` stand in the place of
  /// the definitions of entries, by TocEntry::describe(). Throws Error(kConnection, kCancelled).
  ScratchContents restore(const schema::Archive& archive, const std::map<std::string, std::string>& replacements,
                          const Log& log, const CancelToken& cancel);

 private:
  void adopt_settings();
  void drop() noexcept;

  pg::Connection& beside_;
  std::string name_;
};

}  // namespace pgsluice::pipeline
