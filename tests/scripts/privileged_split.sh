#!/bin/bash
# Roles and extensions by a superuser, all else step by step by the database's owner, in one snapshot.
set -euo pipefail
: "${PGCOPYDB:=pgcopydb}" "${PGCOPYDB_SOURCE_PGURI:?of the owner}" "${PGCOPYDB_TARGET_PGURI:?of the owner}"
: "${SOURCE_ADMIN_PGURI:?of a superuser}" "${TARGET_ADMIN_PGURI:?of a superuser}"
export PGCOPYDB_SOURCE_PGURI PGCOPYDB_TARGET_PGURI
. "$(dirname "$0")/compare.sh"
work=$(mktemp -d); trap 'kill ${COPROC_PID:-} 2>/dev/null || true; rm -rf "$work"' EXIT

"$PGCOPYDB" copy roles --source "$SOURCE_ADMIN_PGURI" --target "$TARGET_ADMIN_PGURI" --dir "$work/admin"
q "$TARGET_ADMIN_PGURI" "ALTER DATABASE shop OWNER TO shop_owner; ALTER SCHEMA public OWNER TO shop_owner"
"$PGCOPYDB" copy extensions --source "$SOURCE_ADMIN_PGURI" --target "$TARGET_ADMIN_PGURI" --dir "$work/admin2"

export TMPDIR=$work    # the steps share its default folder (0.10's snapshot knows no other)
coproc ( "$PGCOPYDB" snapshot )
sleep 2
# what is written from here on isn't copied
q "$SOURCE_ADMIN_PGURI" "INSERT INTO staging.import VALUES ('later', false)"

"$PGCOPYDB" dump schema --resume
"$PGCOPYDB" restore pre-data --resume
"$PGCOPYDB" copy table-data --resume
"$PGCOPYDB" copy blobs --resume
"$PGCOPYDB" copy sequences --resume
"$PGCOPYDB" copy indexes --resume
"$PGCOPYDB" copy constraints --resume
vacuumdb -z -q -d "$PGCOPYDB_TARGET_PGURI"
"$PGCOPYDB" restore post-data --resume

pid=$COPROC_PID; kill -TERM "$pid"; wait "$pid"
q "$SOURCE_ADMIN_PGURI" "DELETE FROM staging.import WHERE line = 'later'"

same_rows "$SOURCE_ADMIN_PGURI" "$TARGET_ADMIN_PGURI"
same_sequences "$SOURCE_ADMIN_PGURI" "$TARGET_ADMIN_PGURI"
same_blobs "$SOURCE_ADMIN_PGURI" "$TARGET_ADMIN_PGURI"
same_schema "$SOURCE_ADMIN_PGURI" "$TARGET_ADMIN_PGURI"
echo OK
