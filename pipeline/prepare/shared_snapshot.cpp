#include "pipeline/prepare/shared_snapshot.h"

#include <fmt/format.h>

#include "pg/snapshot.h"
#include "pgsluice/error.h"
#include "pipeline/prepare/run_folder.h"
#include "pipeline/prepare/sessions.h"

namespace pgsluice::pipeline {

void keep_snapshot(const Endpoints& servers, const std::filesystem::path& work_folder,
                   const std::function<void(const std::string& name)>& on_export, const Log& log,
                   const CancelToken& cancel) {
  const FileLock lock = lock_work_folder(work_folder, "snapshot.lock");
  const RunFolder folder(work_folder);
  pg::Connection holder = open_reader(conninfo_of(servers, Side::kSource), "snapshot", "", log, cancel);
  const pg::SnapshotMark mark = pg::mark_snapshot(holder, pg::export_snapshot(holder));
  folder.share_snapshot(mark);
  log.info(fmt::format("snapshot {} exported, held until this command ends", mark.snapshot.name));
  on_export(mark.snapshot.name);
  if (holder.wait_for_loss()) {
    throw Error(ErrorKind::kConnection, "the session that held the snapshot was lost")
        .on(Side::kSource)
        .remedy(Remedy::kKeepSnapshot)
        .remedy(Remedy::kResumeInconsistent);
  }
  folder.unshare_snapshot();
  log.info(fmt::format("snapshot {} released", mark.snapshot.name));
}

}  // namespace pgsluice::pipeline
