#include "pipeline/prepare/carried_statistics.h"

#include "pg/version.h"
#include "pgsluice/error.h"

namespace pgsluice::pipeline {

namespace {

bool order_alike(const schema::DatabaseInfo& source, const schema::DatabaseInfo& target) {
  const bool are_versions_known = !source.collation_version.empty() && !target.collation_version.empty();
  return schema::differences_of(source, target).empty() &&
         (!are_versions_known || source.collation_version == target.collation_version);
}

}  // namespace

bool carries_statistics(const ResolvedOptions& options, const DatabasesOfStatistics& databases) {
  if (options.statistics == Statistics::kAnalyze || options.statistics == Statistics::kNone) return false;
  const bool takes_them = databases.target_version >= pg::since::kRestoresStatistics;
  if (options.statistics == Statistics::kAuto) {
    return databases.source != nullptr && takes_them && order_alike(*databases.source, databases.target);
  }
  if (databases.source == nullptr) {
    throw Error(ErrorKind::kConfig, "no statistics can be carried from an archive: it has none")
        .hint("let the target gather them");
  }
  if (!takes_them) {
    throw Error(ErrorKind::kConfig, "a server before PostgreSQL 18 does not take the statistics of another")
        .on(Side::kTarget)
        .hint("let it gather them");
  }
  return true;
}

}  // namespace pgsluice::pipeline
