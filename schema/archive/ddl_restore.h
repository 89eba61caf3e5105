#pragma once

#include <string_view>

#include "pg/query_pipeline.h"
#include "schema/archive/entry_sql.h"

namespace pgsluice::schema {

/// True if definitions of entries of this kind hold connection strings and passwords: they are never shown.
bool may_hold_secret(const EntryKind& kind);

/// Makes a session ready for the statements of entries: what the archive was written for (encoding, literals, search
/// path). To be called after pg::apply_session_settings().
void begin_restore(pg::Connection& target, const Archive& archive);

/// A session that reads literals as the archive writes them, as long as this lives: for statements of its entries
/// beside begin_restore(). A message is read whole before its first statement is carried out, so that none can set it
/// for itself.
class ArchivesLiterals {
 public:
  /// The session is idle. Throws Error(kServer).
  ArchivesLiterals(pg::Connection& target, const Archive& archive);
  ArchivesLiterals(const ArchivesLiterals&) = delete;
  ArchivesLiterals& operator=(const ArchivesLiterals&) = delete;
  ~ArchivesLiterals();

 private:
  pg::Connection& target_;
};

/// Returns the statement that carries out one entry, as one transaction: its settings, its definition (or the text that
/// is given in its place), its owner. The log does not show what may hold a secret.
pg::Statement entry_statement(const Archive& archive, const TocEntry& entry, const RestoreOptions& options,
                              std::string_view definition);

/// Puts into the error of that statement which object it was, and the definition, unless that may hold a secret.
void explain(Error& error, const TocEntry& entry, std::string_view definition);

}  // namespace pgsluice::schema
