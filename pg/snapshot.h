#pragma once

#include <optional>
#include <string>

#include "pg/connection.h"

namespace pgsluice::pg {

/// Names a snapshot that a transaction has exported, in terms that another session can check after importing it:
/// the name alone is used again after a restart of the server.
struct SnapshotIdentity {
  std::string name;               ///< for SET TRANSACTION SNAPSHOT
  std::string text;               ///< xmin:xmax:xip_list
  std::string system_identifier;  ///< of the server's data folder; empty where it may not be read
  std::string server_started;     ///< when the server was started

  bool operator==(const SnapshotIdentity&) const = default;
};

/// Returns the number that identifies this server's data folder; empty if this user may not read it.
std::string system_identifier(Connection& connection);

/// Begins a REPEATABLE READ, READ ONLY transaction on an idle connection and exports its snapshot, which lives for
/// importers as long as that transaction.
SnapshotIdentity export_snapshot(Connection& connection);

/// The part of a snapshot that outlives it, and tells later whether a new one shows the same rows.
struct SnapshotMark {
  SnapshotIdentity snapshot;
  std::string database;  ///< its OID
  /// Empty on a standby.
  std::string timeline;
  /// Where the server's log ended when the snapshot had been taken.
  std::string log_position;
  /// True if the log was on disk up to there. Until it is, a crash of the server may undo what the snapshot shows and
  /// use its transaction ids again.
  bool log_is_on_disk = false;
  /// When the server's checkpointer was started: another one means a restart, or a crash, which empties unlogged
  /// tables. Empty where this user may not see it.
  std::string checkpointer_started;
  /// When the server may begin to remove rows that the snapshot shows (old_snapshot_threshold, 9.6 to 16), by its
  /// clock; empty where it does not.
  std::string read_before = {};
  /// The database's definitions (definitions_mark()).
  std::string definitions = {};
};

/// Which database it is, and no snapshot.
SnapshotMark identity_of(Connection& connection);

/// Begins a mark in the snapshot's transaction, as the first thing there. Reads only what takes no time.
SnapshotMark begin_mark(Connection& connection, const SnapshotIdentity& snapshot);
/// Completes it in the same transaction, which takes as long as reading the catalogs does: adds the definitions where
/// they are missing, and waits a moment for the log.
void complete_mark(Connection& connection, SnapshotMark& mark);
/// Both.
SnapshotMark mark_snapshot(Connection& connection, const SnapshotIdentity& snapshot);

/// True if the server's log is on disk up to where a snapshot was marked (SnapshotMark::log_is_on_disk), by now.
bool is_log_on_disk(Connection& connection, const SnapshotMark& mark);

/// To be called after a read in a snapshot, with SnapshotMark::read_before. A later read gets "snapshot too
/// old" from the server, but not a session that has imported the snapshot: it may read what is left (tried on 15:
/// 50,000 of 100,000 rows). Throws Error(kState, 72000).
void require_read_in_time(Connection& connection, const std::string& read_before);

/// True if they are of one database.
bool of_one_database(const SnapshotMark& a, const SnapshotMark& b);

/// True if two comparable snapshots show the same rows in every database of the server, as the transactions that they
/// name prove. A standby's snapshot does not name those that were running, so that two of them are never known to.
bool show_the_same(const SnapshotMark& a, const SnapshotMark& b);

/// Why what the two show cannot be compared, by their transactions or by those of each row; nullopt if it can.
/// `unlogged`: whether rows of unlogged tables count.
std::optional<std::string> why_not_comparable(const SnapshotMark& earlier, const SnapshotMark& later, bool unlogged);

/// Why the later snapshot may show other rows than the earlier one, in any database of the server; nullopt if it
/// shows the same.
std::optional<std::string> why_not_the_same(const SnapshotMark& earlier, const SnapshotMark& later, bool unlogged);

/// Begins a transaction that sees the snapshot, and checks that it is the one meant.
/// Throws Error(kServer, 22023 or 42704) when it is gone, Error(kState) when it is another one of the same name.
void import_snapshot(Connection& connection, const SnapshotIdentity& snapshot);
/// Exports the snapshot of a transaction that has imported it, under a name that lives as long as this one does. A
/// standby gives none: the name stays what it was.
SnapshotIdentity export_again(Connection& connection, SnapshotIdentity snapshot);
/// Like the above, for a snapshot of which only the name is known.
SnapshotIdentity import_snapshot(Connection& connection, const std::string& name);

}  // namespace pgsluice::pg
