#pragma once

#include <set>

#include "copy/ledger.h"
#include "pg/connection.h"
#include "pgsluice/log.h"
#include "pipeline/plan/plan.h"

namespace pgsluice::pipeline {

/// Takes from the target what would keep these tables (as the source's catalog has them) from being emptied and loaded:
/// their triggers, and foreign keys from and to them. The ledger and its contents forget that they and their comments
/// were made, so that they are made again. In the caller's transaction.
void make_loadable(pg::Connection& target, const Plan& plan, const std::set<schema::Oid>& tables,
                   copy::LedgerContents& ledger, const Log& log);

}  // namespace pgsluice::pipeline
