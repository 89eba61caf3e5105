#!/bin/bash
# Clones a database, then clones it once more over the first copy, as a continuous integration would; compares.
set -euo pipefail
: "${PGCOPYDB:=pgcopydb}" "${PGCOPYDB_SOURCE_PGURI:?}" "${PGCOPYDB_TARGET_PGURI:?}"
export PGCOPYDB_SOURCE_PGURI PGCOPYDB_TARGET_PGURI PGCOPYDB_TABLE_JOBS=4
. "$(dirname "$0")/compare.sh"
work=$(mktemp -d)/shop; trap 'rm -rf "${work%/shop}"' EXIT

"$PGCOPYDB" version
"$PGCOPYDB" list tables
"$PGCOPYDB" list extensions

"$PGCOPYDB" clone --dir "$work" --roles --index-jobs 2 --split-tables-larger-than '1 MB'
test -d "$work"

# the same folder again is refused without --restart
if "$PGCOPYDB" clone --dir "$work" --drop-if-exists 2>"$work.err"; then echo "a second run was not refused" >&2; fi
"$PGCOPYDB" clone --dir "$work" --restart --drop-if-exists --table-jobs 2 --index-jobs 2

same_rows "$PGCOPYDB_SOURCE_PGURI" "$PGCOPYDB_TARGET_PGURI"
same_sequences "$PGCOPYDB_SOURCE_PGURI" "$PGCOPYDB_TARGET_PGURI"
same_blobs "$PGCOPYDB_SOURCE_PGURI" "$PGCOPYDB_TARGET_PGURI"
same_schema "$PGCOPYDB_SOURCE_PGURI" "$PGCOPYDB_TARGET_PGURI"
echo OK
