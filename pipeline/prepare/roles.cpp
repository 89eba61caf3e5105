#include "pipeline/prepare/roles.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <iterator>

#include "base/counted.h"
#include "base/file_descriptor.h"
#include "pg/quote.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"
#include "schema/catalog/inventory.h"

namespace pgsluice::pipeline {

namespace {

void join(pg::Connection& target, const std::vector<std::string>& roles, const Log& log) {
  for (const std::string& role : roles) {
    if (schema::may_act_for(target, role)) continue;
    try {
      target.execute(fmt::format("GRANT {} TO {}", pg::quote_identifier(role), pg::quote_identifier(target.user())));
    } catch (const Error& error) {
      if (error.poisons_connection()) throw;
      // Its objects stay the user's then, which each of them is listed for.
      log.warning(
          fmt::format("{} cannot be made a member of {}: {}", target.user(), pg::display_name("", role), error.what()));
      continue;
    }
    log.notice(fmt::format("{} is a member of {} now", target.user(), pg::display_name("", role)));
  }
}

}  // namespace

std::string read_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel) {
  const pg::Connection source = open_reader(conninfo_of(request.servers, Side::kSource), "roles", "", log, cancel);
  return schema::dump_roles(
      {.program = schema::find_client_program(request.pg_bindir, source.server_version(), cancel, "pg_dumpall"),
       .source = source.pinned_conninfo(),
       .passwords = request.passwords},
      cancel);
}

schema::RolesOutcome restore_roles(const std::string& text, const RolesRequest& request, const Log& log,
                                   const CancelToken& cancel) {
  // pg_dumpall writes UTF-8 unless it is told otherwise.
  pg::Connection target = open_session(conninfo_of(request.servers, Side::kTarget), "roles", "UTF8", log, cancel);
  const schema::RolesOutcome outcome = schema::restore_roles(target, schema::parse_roles(text));
  log.info(
      fmt::format("{} made, {} there already", counted(outcome.created.size(), "role"), outcome.there_already.size()));
  if (!outcome.created.empty()) log.notice(fmt::format("made: {}", fmt::join(outcome.created, ", ")));
  for (const std::string& attribute : outcome.not_given) {
    log.warning(fmt::format("not taken over: {}", attribute));
  }
  for (const Error& error : outcome.failed) log.error(error);
  // Without being a member, a user who is not a superuser cannot give a role what it owns.
  join(target, outcome.created, log);
  // An attempt before this one may have made them, and got no further.
  if (request.join_existing) join(target, outcome.there_already, log);
  return outcome;
}

void dump_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel) {
  const RunFolder folder(request.work_folder);
  make_work_folder(folder.schema_folder());
  write_file(folder.roles_file(), read_roles(request, log, cancel));
  log.info(fmt::format("roles in {}", folder.roles_file().string()));
}

schema::RolesOutcome restore_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel) {
  const std::filesystem::path file = RunFolder(request.work_folder).roles_file();
  std::ifstream in(file, std::ios::binary);
  if (!in.is_open()) {
    throw Error(ErrorKind::kState, fmt::format("there are no roles in {}", file.string())).remedy(Remedy::kDumpRoles);
  }
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return restore_roles(text, request, log, cancel);
}

schema::RolesOutcome copy_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel) {
  return restore_roles(read_roles(request, log, cancel), request, log, cancel);
}

}  // namespace pgsluice::pipeline
