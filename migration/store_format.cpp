// The tables of a store, and how those of an earlier version become today's.
#include <fmt/format.h>

#include "base/sqlite.h"
#include "pgsluice/error.h"
#include "pgsluice/migration/store.h"

namespace pgsluice::migration {

namespace {

constexpr const char* kFirstFormat = R"(
CREATE TABLE migration (id TEXT PRIMARY KEY, name TEXT NOT NULL, target TEXT NOT NULL, address TEXT NOT NULL,
                        system TEXT NOT NULL DEFAULT '', active INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
                        claimed INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL,
                        waits_since REAL NOT NULL, document TEXT NOT NULL);
CREATE UNIQUE INDEX name_of_target ON migration (target COLLATE NOCASE, name COLLATE NOCASE) WHERE NOT deleted;
CREATE UNIQUE INDEX active_on_address ON migration (address COLLATE NOCASE) WHERE active;
CREATE UNIQUE INDEX active_on_system ON migration (system) WHERE active AND system <> '';
CREATE TABLE sample (migration TEXT NOT NULL, at REAL NOT NULL, copied INTEGER NOT NULL);
CREATE INDEX samples ON sample (migration, at);
PRAGMA user_version = 1;
)";

// Columns that lists ask for without reading documents: the state, and when it was reached.
constexpr const char* kSecondFormat = R"(
ALTER TABLE migration ADD COLUMN state TEXT NOT NULL DEFAULT '';
ALTER TABLE migration ADD COLUMN ended REAL NOT NULL DEFAULT 0;
UPDATE migration SET state = coalesce(CASE WHEN json_valid(document) THEN
  json_extract(document, '$.properties.currentStatus.state') END, '');
CREATE INDEX newest ON migration (created DESC, id DESC);
CREATE INDEX ended_at ON migration (ended);
PRAGMA user_version = 2;
)";
// Values that the page's chart shows beside the bytes.
constexpr const char* kThirdFormat = R"(
ALTER TABLE sample ADD COLUMN fraction REAL NOT NULL DEFAULT 0;
ALTER TABLE sample ADD COLUMN phase TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 3;
)";
// The changes of pace that a worker was asked for, as JSON.
constexpr const char* kFourthFormat = R"(
ALTER TABLE migration ADD COLUMN pace TEXT NOT NULL DEFAULT '{}';
PRAGMA user_version = 4;
)";
constexpr std::int64_t kFormat = 4;

}  // namespace

void Store::update_format() {
  std::int64_t format = 0;
  const auto read_format = [&] {
    file_->execute("PRAGMA user_version", {}, [&](const SqliteFile::Row& row) { format = row.integer(0); });
  };
  read_format();
  if (format < kFormat) {
    SqliteFile::Transaction transaction(*file_);
    read_format();
    if (format < 1) file_->execute(kFirstFormat);
    if (format < 2) file_->execute(kSecondFormat);
    if (format < 3) file_->execute(kThirdFormat);
    if (format < 4) file_->execute(kFourthFormat);
    transaction.commit();
    read_format();
  }
  if (format != kFormat) {
    throw Error(ErrorKind::kState, fmt::format("the store {} is of a later version of pgsluice", folder_.string()))
        .hint("use that version, or another store");
  }
}

}  // namespace pgsluice::migration
