#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pipeline/plan/options.h"
#include "schema/catalog/roles.h"

namespace pgsluice::pipeline {

/// A copy of the source's roles. Roles belong to a server, not to a database: all of them are copied, whatever they
/// own.
struct RolesRequest {
  Endpoints servers;
  /// Where dump_roles() writes them and restore_roles() reads them.
  std::filesystem::path work_folder;
  /// The folder of pg_dumpall; otherwise PATH and the usual places are searched.
  std::optional<std::filesystem::path> pg_bindir;
  bool passwords = true;
  /// True if the target's user becomes a member of roles that exist already, too: an earlier attempt may have created
  /// them.
  bool join_existing = false;
};

/// The request that options of a clone stand for.
template <class Options>
RolesRequest roles_request(const Options& options) {
  return {.servers = options,
          .work_folder = options.work_folder,
          .pg_bindir = options.pg_bindir,
          .passwords = options.role_passwords,
          .join_existing = options.earlier_run == EarlierRun::kResume};
}

/// Returns the source's roles as pg_dumpall writes them. Throws Error, as those below do.
std::string read_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel);
/// Creates the roles of such a text that the target lacks, and logs what it has done.
schema::RolesOutcome restore_roles(const std::string& text, const RolesRequest& request, const Log& log,
                                   const CancelToken& cancel);

/// Writes the source's roles into the work folder, where only its owner may read them.
void dump_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel);
/// Creates the roles of the work folder that the target lacks.
schema::RolesOutcome restore_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel);
/// Does both, without leaving a file.
schema::RolesOutcome copy_roles(const RolesRequest& request, const Log& log, const CancelToken& cancel);

}  // namespace pgsluice::pipeline
