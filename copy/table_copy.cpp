#include "pgsluice/copy/table_copy.h"

#include <fmt/format.h>

#include "pgsluice/base/error.h"
#include "pgsluice/copy/copy_statement.h"
#include "pgsluice/pg/transaction.h"

namespace pgsluice::copy {

std::int64_t copy_table(pg::Connection& source, pg::Connection& target, Relay& relay, const TableCopy& copy) {
  try {
    pg::Transaction transaction(target);
    const RelayOutcome outcome = relay.run(source, target,
                                           {.copy_out = copy_out_statement(copy.table),
                                            .copy_in = copy_in_statement(copy.table, copy.into),
                                            .bytes = copy.bytes});
    if (outcome.source_rows != outcome.target_rows) {
      throw Error(ErrorKind::kMismatch, fmt::format("the source sent {} rows and the target took {}",
                                                    outcome.source_rows, outcome.target_rows))
          .on(Side::kTarget)
          .hint("a trigger or a rule on the target may have taken rows away");
    }
    transaction.commit();
    return outcome.source_rows;
  } catch (Error& error) {
    error.object("table " + copy.table.display()).step("copying data");
    throw;
  }
}

}  // namespace pgsluice::copy
