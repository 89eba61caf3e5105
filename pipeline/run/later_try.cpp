#include "pipeline/run/later_try.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/sqlstate.h"

namespace pgsluice::pipeline {

namespace {

// SQLSTATEs of https://www.postgresql.org/docs/current/errcodes-appendix.html
constexpr std::array<std::string_view, 4> kClasses = {"22",   // a value that another table's rows decide
                                                      "42",   // a name that is not there, or not yet as it will be
                                                      "P0",   // raised by a function
                                                      "39"};  // an external routine's complaint
constexpr std::array<std::string_view, 4> kCodes = {
    sqlstate::kNotNullViolation,              // a function has found no row
    sqlstate::kCheckViolation,                // a CHECK that reads other rows
    sqlstate::kObjectNotInPrerequisiteState,  // a materialized view that is not filled yet
    sqlstate::kDependentObjectsStillExist};
constexpr std::array<std::string_view, 7> kNever = {sqlstate::kInsufficientPrivilege, sqlstate::kSyntaxError,
                                                    sqlstate::kDuplicateObject,       sqlstate::kDuplicateFunction,
                                                    sqlstate::kDuplicateSchema,       sqlstate::kDuplicateTable,
                                                    sqlstate::kDuplicateColumn};
constexpr std::array<std::string_view, 5> kNotFound = {sqlstate::kUndefinedFunction, sqlstate::kUndefinedTable,
                                                       sqlstate::kUndefinedObject, sqlstate::kInvalidSchemaName,
                                                       sqlstate::kUndefinedColumn};

template <std::size_t N>
bool is_one_of(std::string_view code, const std::array<std::string_view, N>& codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

bool may_succeed_later(const Error& error) {
  const std::string_view code = error.sqlstate();
  if (error.kind() != ErrorKind::kServer || error.side() != Side::kTarget || code.empty()) return false;
  if (is_one_of(code, kNever)) return false;
  return is_one_of(code.substr(0, 2), kClasses) || is_one_of(code, kCodes) || is_name_not_found(error);
}

bool met_another_definition(const Error& error) {
  return error.kind() == ErrorKind::kServer && error.side() == Side::kTarget &&
         (error.sqlstate() == sqlstate::kUniqueViolation || error.sqlstate() == sqlstate::kDeadlockDetected);
}

bool is_name_not_found(const Error& error) { return is_one_of(error.sqlstate(), kNotFound); }

std::string later_try_text(std::string_view name, const EarlierFailure& earlier) {
  return fmt::format("{}: done on a later try{}, since at first: {}", name,
                     earlier.name_not_found ? ", under the source database's search_path" : "", earlier.error.what());
}

void report_later_try(RunContext& context, TaskId id, const ChecksAfterRows& way, CheckRows rows) {
  const std::optional<EarlierFailure> earlier = context.scheduler.earlier_failure(id);
  if (!earlier) return;
  std::string text = later_try_text(context.plan.graph[id].name, *earlier);
  if (!way.names.empty()) {
    text += fmt::format("; its {} {} added after its rows{}", fmt::join(way.names, ", "),
                        way.names.size() == 1 ? "was" : "were", rows == CheckRows::kNone ? ", as NOT VALID" : "");
  }
  context.progress.add_warning(text);
  context.log.warning(text);
}

bool is_refused_by_check(const Error& error) { return error.sqlstate() == sqlstate::kCheckViolation; }

}  // namespace pgsluice::pipeline
