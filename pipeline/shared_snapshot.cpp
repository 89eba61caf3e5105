#include "pgsluice/pipeline/shared_snapshot.h"

#include <fmt/format.h>

#include "pgsluice/base/error.h"
#include "pgsluice/pg/snapshot.h"
#include "pgsluice/pipeline/run_folder.h"
#include "pgsluice/pipeline/sessions.h"

namespace pgsluice::pipeline {

void keep_snapshot(const CloneOptions& options, const std::function<void(const std::string& name)>& on_export,
                   const Log& log, const CancelToken& cancel) {
  const FileLock lock = lock_work_folder(options.work_folder, "snapshot.lock");
  const RunFolder folder(options.work_folder);
  pg::Connection holder = open_reader(conninfo_of(options, Side::kSource), "snapshot", "", log, cancel);
  const pg::SnapshotMark mark = pg::mark_snapshot(holder, pg::export_snapshot(holder));
  folder.share_snapshot(mark);
  log.info(fmt::format("snapshot {} exported, held until this command ends", mark.snapshot.name));
  on_export(mark.snapshot.name);
  if (holder.wait_for_loss()) {
    throw Error(ErrorKind::kConnection, "the session that held the snapshot was lost")
        .on(Side::kSource)
        .hint(
            "run again; commands that go on with what was begun need --resume --not-consistent then, unless nothing "
            "has changed on the source");
  }
  folder.unshare_snapshot();
  log.info(fmt::format("snapshot {} released", mark.snapshot.name));
}

}  // namespace pgsluice::pipeline
