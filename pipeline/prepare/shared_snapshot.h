#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "pgsluice/cancel.h"
#include "pgsluice/log.h"
#include "pipeline/plan/options.h"

namespace pgsluice::pipeline {

/// The snapshot of a holder: `pgsluice snapshot`. Exports one, tells its name, and keeps it until the cancellation; the
/// work folder's other commands find it. Throws Error when the session is lost before that, or when another one is held
/// for the folder.
void keep_snapshot(const Endpoints& servers, const std::filesystem::path& work_folder,
                   const std::function<void(const std::string& name)>& on_export, const Log& log,
                   const CancelToken& cancel);

}  // namespace pgsluice::pipeline
