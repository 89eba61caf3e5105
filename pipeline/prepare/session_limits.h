#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgsluice::pipeline {

struct ResolvedOptions;

/// A CONNECTION LIMIT that a clone's sessions are held to.
struct SessionLimit {
  std::string holder;  ///< "role app", "database shop"
  std::string raise;   ///< the statement that sets another limit, without its number: "ALTER ROLE app CONNECTION LIMIT"
  std::int64_t limit = 0;
};

/// The sessions that a clone cannot do without on either side: the snapshot's or the definitions', pg_dump's or an
/// index job's, and a table job's.
inline constexpr std::int64_t kFewestSessions = 3;

/// Returns the limits of the connection's login role and of a database. Superusers are held to none.
std::vector<SessionLimit> session_limits(pg::Connection& connection, const std::string& database);

/// Returns a warning for each limit of the two databases that is below the sessions that the jobs may use at a time.
/// Throws Error(kConfig) for one that no clone can work with; some of its steps by themselves may, on the target.
std::vector<std::string> check_session_limits(pg::Connection& source, pg::Connection& target,
                                              const ResolvedOptions& options);

}  // namespace pgsluice::pipeline
