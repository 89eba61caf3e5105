#pragma once

#include <string>

#include "tests/support/cluster.h"

namespace pgsluice::test {

/// The database that holds one of everything (tests/fidelity): which part of it.
enum class Fidelity {
  kOwner,  ///< what the database's owner may make, who is no superuser; extensions made for him
  kWhole,  ///< that, and what only a superuser may make
};

/// Roles and a tablespace, once for a cluster.
void prepare_for_fidelity(const Cluster& cluster);

/// Makes the database, filled; the cluster is prepared first.
void make_fidelity(const Cluster& cluster, const std::string& database, Fidelity part);

/// An empty database to clone into: kOwner has the extensions already, made by a superuser.
void make_fidelity_target(const Cluster& cluster, const std::string& database, Fidelity part);

/// tests/fidelity/<name>, run as a user.
void run_fidelity_file(const Cluster& cluster, const std::string& database, const std::string& name,
                       const std::string& user = "postgres");

}  // namespace pgsluice::test
