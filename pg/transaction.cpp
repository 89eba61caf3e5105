#include "pg/transaction.h"

#include <fmt/format.h>

#include "base/sqlstate.h"
#include "pgsluice/error.h"

namespace pgsluice::pg {

Transaction::Transaction(Connection& connection, std::string_view begin) : connection_(connection) {
  connection_.execute(begin);
}

Transaction::~Transaction() {
  if (!open_ || !connection_.alive()) return;
  try {
    connection_.execute("ROLLBACK");
  } catch (const Error& error) {
    // The connection is lost or the run cancelled: its server rolls back when the session ends.
    connection_.log().debug(fmt::format("rollback not confirmed: {}", error.describe()));
  }
}

void Transaction::commit(std::string_view last) {
  const Result answer = connection_.execute(std::string(last) + "COMMIT");
  open_ = false;
  if (answer.command() != "COMMIT") {
    throw Error(ErrorKind::kServer, fmt::format("COMMIT was answered by {}", answer.command()))
        .on(connection_.side())
        .sqlstate(sqlstate::kInFailedSqlTransaction);
  }
}

}  // namespace pgsluice::pg
