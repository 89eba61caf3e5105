# Sourced by the scripts: same_rows SRC TGT [tables regex to leave out], same_sequences, same_blobs, same_schema.
q() { psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }
tables() { q "$1" "SELECT c.oid::regclass::text COLLATE \"C\" FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r','m')
  AND nspname !~ '^pg_|^information_schema|^pgcopydb|^pgsluice' AND nspname||'.'||relname !~ '${2:-^$}' ORDER BY 1"; }
rows() { # database [regex]: name, count, md5 of the sorted rows
  local db="$1 options='-c search_path='" t
  [[ $1 == *://* ]] && db="$1$([[ $1 == *\?* ]] && echo '&' || echo '?')options=-csearch_path%3Dpg_catalog"
  for t in $(tables "$db" "${2:-}"); do
    echo "$t $(q "$db" "SELECT count(*), md5(string_agg(x::text, ',' ORDER BY x::text COLLATE \"C\")) FROM ONLY $t x")"
  done; }
same() { diff <(echo "$2") <(echo "$3") >&2 && echo "same $1: $(wc -l <<<"$2")" || { echo "DIFFERENT $1" >&2; exit 1; }; }
same_rows() { same rows "$(rows "$1" "${3:-}")" "$(rows "$2" "${3:-}")"; }
seqs() { q "$1" "SELECT schemaname, sequencename, last_value, start_value, increment_by FROM pg_sequences WHERE schemaname||'.'||sequencename !~ '${2:-^$}' ORDER BY 1,2"; }
same_sequences() { same sequences "$(seqs "$1" "${3:-}")" "$(seqs "$2" "${3:-}")"; }
blobs() { q "$1" "SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1"; }
same_blobs() { same "large objects" "$(blobs "$1")" "$(blobs "$2")"; }
schema() { pg_dump -s -d "$@" | grep -Ev '^--|^$|^\\(un)?restrict|^COMMENT ON EXTENSION'; }
same_schema() { local s=$1 t=$2; shift 2; same schema "$(schema "$s" "$@")" "$(schema "$t" "$@")"; }
