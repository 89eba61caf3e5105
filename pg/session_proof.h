#pragma once

#include "pg/connection.h"

namespace pgsluice::pg {

/// Proves that a connection is one session of one server, before anything is set or written on it, and asks the server
/// for its database and role (Connection::identify()).
///
/// A pooler that hands its server connections from one client to the next between transactions or statements would
/// drop our settings, or leave them to other applications, and two of our transactions might share a session. Nothing
/// in the protocol names such a pooler, but the process that it announces at the start is not the one that answers; a
/// second connection then shows whether server processes move between clients. In session mode they do not.
///
/// Throws Error(kConfig) that names the kind of pooler. Changes nothing. Costs one round trip on a direct connection.
void require_one_session(Connection& connection);

/// On the source: where the login role has a "SET role" setting of its own (ALTER ROLE … SET role), the session goes
/// back to the login role if that may do all that the other one may, so that every privilege of the user counts.
void act_as_login_role(Connection& connection);

/// Runs statements as the login role, where the session acts for another one: a server shows a session's start, and
/// lets it be ended, to the role that it was logged in as.
Result execute_as_login_role(Connection& connection, std::string_view sql);

}  // namespace pgsluice::pg
