#pragma once

#include <string>
#include <string_view>

#include "pg/connection.h"

namespace pgsluice::pg {

/// The purpose of a session, as far as its settings differ.
enum class SessionPurpose {
  kRead,   ///< reads catalogs and table data on the source
  kWrite,  ///< writes table data and definitions on the target
};

/// Sets what the outcome of a copy depends on and what an administrator's defaults would otherwise decide: text
/// forms of values, how statements are read, time limits, keepalives. The list stands in the .cpp with the reason for
/// each. `encoding` becomes client_encoding: the source's server encoding on both sides.
/// A setting that this server does not know is left out where the list allows it. Throws Error(kServer) naming the
/// setting otherwise.
void apply_session_settings(Connection& connection, SessionPurpose purpose, std::string_view encoding);

/// Returns the settings of SessionPurpose::kRead that decide the text of values, as SET LOCAL statements: for reading
/// in a session that writes.
std::string reading_settings_sql();

}  // namespace pgsluice::pg
