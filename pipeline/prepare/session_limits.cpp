#include "pipeline/prepare/session_limits.h"

#include <fmt/format.h>

#include <array>

#include "pgsluice/error.h"
#include "pipeline/plan/options.h"

namespace pgsluice::pipeline {

std::vector<SessionLimit> session_limits(pg::Connection& connection, const std::string& database) {
  const std::array<std::string, 1> name = {database};
  std::vector<SessionLimit> limits;
  for (const pg::Row row : connection.execute(
           "WITH login AS (SELECT * FROM pg_catalog.pg_roles WHERE rolname = session_user AND NOT rolsuper)"
           " SELECT 'role ' || rolname, 'ALTER ROLE ' || pg_catalog.quote_ident(rolname), rolconnlimit"
           "  FROM login WHERE rolconnlimit >= 0"
           " UNION ALL SELECT 'database ' || datname, 'ALTER DATABASE ' || pg_catalog.quote_ident(datname), "
           "datconnlimit"
           "  FROM pg_catalog.pg_database d, login WHERE d.datname = $1 AND datconnlimit >= 0",
           name)) {
    limits.push_back({.holder = std::string(row.text(0)),
                      .raise = fmt::format("{} CONNECTION LIMIT", row.text(1)),
                      .limit = row.integer(2)});
  }
  return limits;
}

std::vector<std::string> check_session_limits(pg::Connection& source, pg::Connection& target,
                                              const ResolvedOptions& options) {
  const struct {
    pg::Connection& server;
    std::int64_t needed;
    bool needs_the_fewest;
  } sides[] = {{source, options.table_jobs + 2, true},
               {target, options.table_jobs + options.index_jobs + 1, options.steps == all_steps()}};
  std::vector<std::string> warnings;
  for (const auto& [server, needed, needs_the_fewest] : sides) {
    for (const SessionLimit& limit : session_limits(server, server.database())) {
      if (needs_the_fewest && limit.limit < kFewestSessions) {
        throw Error(ErrorKind::kConfig,
                    fmt::format("{}: its CONNECTION LIMIT is {}, and a copy needs {} sessions at least", limit.holder,
                                limit.limit, kFewestSessions))
            .on(server.side())
            .hint(fmt::format("{} {}", limit.raise, needed));
      }
      if (limit.limit >= needed) continue;
      warnings.push_back(
          fmt::format("{} of the {}: its CONNECTION LIMIT is {}, and the jobs may use {} sessions at a time: {} {}, or "
                      "use fewer jobs",
                      limit.holder, to_string(server.side()), limit.limit, needed, limit.raise, needed));
    }
  }
  return warnings;
}

}  // namespace pgsluice::pipeline
