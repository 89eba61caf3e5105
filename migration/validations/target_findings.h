#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "migration/validations/validations.h"
#include "pgsluice/bytes.h"

namespace pgsluice::migration {

// Findings about the target alone, for whatever is copied to it: from a server or from an archive.

/// A role, and the purposes that the databases need it for.
struct NeededRole {
  std::set<std::string> databases;  ///< for people
  bool superuser = false;
  bool owns = false;
  bool grants = false;  ///< on what others own
  bool logs_in = false;
  std::string example;  ///< of what it owns
};

/// Which databases, for people, have an extension.
using ExtensionsInUse = std::map<std::string, std::set<std::string>>;

/// The rights that the user needs to make databases and roles, and to drop what is replaced.
void find_missing_rights(const TargetContext& context, Validation& validation);
/// Roles that are missing, or whose objects the user could not give to them.
void find_missing_roles(const TargetContext& context, const std::map<std::string, NeededRole>& needed,
                        Validation& validation);
/// Extensions that are not on the service's list of those that are allowed, or whose library has to be preloaded.
void find_extensions_to_be_allowed(const TargetContext& context, const ExtensionsInUse& used, Validation& validation);
/// An extension that is not available, or that this user may not make. Returns the version that would be made.
std::optional<std::string> find_extension_trouble(const TargetContext& context, const std::string& extension,
                                                  const std::string& described, Validation& validation);
/// A locale of the database that the server does not have.
void find_missing_locale(const TargetContext& context, const std::string& what, const std::string& locale,
                         Validation& validation);
/// Sessions that a server cannot give to the jobs.
void find_missing_sessions(const TargetContext& context, pg::Connection& server, Validation& validation);
/// Less room on the disk than databases of this size need.
void find_missing_space(const TargetContext& context, Bytes size, Validation& validation);

/// A setting; nullopt if this user may not see it, or the server has none of that name.
std::optional<std::string> setting_of(pg::Connection& server, const std::string& name);
/// The libraries that extensions need to have preloaded, by extension.
const std::map<std::string, std::string>& libraries_of_extensions();
/// The items of a setting that is a list, in lower case.
std::set<std::string> items_of(const std::string& list);

}  // namespace pgsluice::migration
