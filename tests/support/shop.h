#pragma once

#include <string>

#include "tests/support/cluster.h"

namespace pgsluice::test {

/// Makes the demo's roles on a cluster, once.
void make_shop_roles(const Cluster& cluster);

/// Makes the demo's database (tools/demo_database) of a part of its size, with its roles.
void make_shop(const Cluster& cluster, const std::string& database, double scale);

}  // namespace pgsluice::test
