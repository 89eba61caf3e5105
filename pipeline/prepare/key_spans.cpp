#include "pipeline/prepare/key_spans.h"

#include <fmt/format.h>

namespace pgsluice::pipeline {

std::map<schema::Oid, copy::KeySpan> read_key_spans(pg::Connection& source, const TablePlanInput& tables,
                                                    const Log& log) {
  std::map<schema::Oid, copy::KeySpan> spans;
  for (const schema::Relation* table : tables_split_by_key(tables)) {
    log.debug(fmt::format("reading the span of {} of {}", table->integer_key, table->display()));
    if (const auto span = copy::read_key_span(source, *table)) spans[table->oid] = *span;
  }
  return spans;
}

}  // namespace pgsluice::pipeline
