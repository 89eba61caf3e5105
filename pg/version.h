#pragma once

namespace pgsluice::pg {

/// Versions as servers report them (server_version_num): 150018 is 15.18, 90603 is 9.6.3. These are the first of each
/// major release.
inline constexpr int kV9_5 = 90500;
inline constexpr int kV9_6 = 90600;
inline constexpr int kV10 = 100000;
inline constexpr int kV11 = 110000;
inline constexpr int kV12 = 120000;
inline constexpr int kV13 = 130000;
inline constexpr int kV14 = 140000;
inline constexpr int kV15 = 150000;
inline constexpr int kV16 = 160000;
inline constexpr int kV17 = 170000;
inline constexpr int kV18 = 180000;

/// The releases that features came with, for comparisons such as `server_version >= since::kIdentity`.
namespace since {

/// pg_init_privs
inline constexpr int kInitialPrivileges = kV9_6;
/// pg_blocking_pids()
inline constexpr int kBlockingPids = kV9_6;
/// to_regclass(text); of cstring before
inline constexpr int kRegclassOfText = kV9_6;
/// "wal" and "lsn" in the names of functions; "xlog" and "location" before
inline constexpr int kWalNames = kV10;
/// Declarative partitioning, and relispartition
inline constexpr int kPartitions = kV10;
/// Identity columns, pg_sequence
inline constexpr int kIdentity = kV10;
/// jsonb - text[]
inline constexpr int kRemovalOfKeys = kV10;
/// CREATE STATISTICS
inline constexpr int kExtendedStatistics = kV10;
/// AS RESTRICTIVE
inline constexpr int kRestrictivePolicies = kV10;
/// collprovider
inline constexpr int kCollationProvider = kV10;
/// conparentid
inline constexpr int kConstraintParent = kV11;
/// Indexes are built by parallel workers
inline constexpr int kParallelIndexBuilds = kV11;
/// relam of tables
inline constexpr int kTableAccessMethods = kV12;
/// attgenerated
inline constexpr int kGeneratedColumns = kV12;
/// There is no WITH OIDS any more
inline constexpr int kNoOids = kV12;
/// collisdeterministic
inline constexpr int kNondeterministicCollations = kV12;
/// The shortest texts of floating-point numbers that read back as the same
inline constexpr int kShortestFloats = kV12;
/// DROP DATABASE … WITH (FORCE)
inline constexpr int kDropDatabaseForce = kV13;
/// Extensions that users without superuser may create
inline constexpr int kTrustedExtensions = kV13;
/// Multirange types
inline constexpr int kMultiranges = kV14;
/// There are no postfix operators any more, and functions of conversions have another signature
inline constexpr int kNoPostfixOperators = kV14;
/// WHERE ctid BETWEEN reads these blocks only
inline constexpr int kTidRangeScan = kV14;
/// COPY FREEZE marks pages all-visible, so that no VACUUM has to
inline constexpr int kFreezeSetsVisibility = kV14;
/// array_recv takes arrays whose element type has another OID; before, it looks at OIDs of users' types
inline constexpr int kArraysOfOtherOids = kV14;
/// reltuples of partitioned tables, as ANALYZE has found them
inline constexpr int kRowsOfPartitionedTables = kV14;
/// datlocprovider
inline constexpr int kLocaleProviders = kV15;
/// datcollversion
inline constexpr int kDatabaseCollationVersion = kV15;
/// ALTER SEQUENCE … SET UNLOGGED
inline constexpr int kUnloggedSequences = kV15;
/// GRANT … ON PARAMETER
inline constexpr int kParameterPrivileges = kV15;
/// daticurules
inline constexpr int kIcuRules = kV16;
/// WITH INHERIT, SET of role memberships, and the privilege SET
inline constexpr int kMembershipOptions = kV16;
/// pg_stats shows those that are of ranges only
inline constexpr int kRangeStatistics = kV17;
/// datlocale for every provider; daticulocale before
inline constexpr int kOneLocale = kV17;
/// ALTER TYPE … OWNER of a range changes its multirange, too
inline constexpr int kMultirangesFollowOwner = kV17;
/// The privilege MAINTAIN
inline constexpr int kMaintain = kV17;
/// Indexes and materialized views are made with search_path = pg_catalog, pg_temp
inline constexpr int kRestrictedSearchPath = kV17;
/// ANALYZE ONLY; without the word, inheritance children are analyzed too
inline constexpr int kAnalyzeOnly = kV18;
/// pg_restore_relation_stats() and pg_restore_attribute_stats()
inline constexpr int kRestoresStatistics = kV18;
/// Generated columns that are computed when they are read
inline constexpr int kVirtualColumns = kV18;
/// NOT NULL is a constraint with a name
inline constexpr int kNotNullConstraints = kV18;
/// Temporal keys: WITHOUT OVERLAPS, PERIOD
inline constexpr int kPeriods = kV18;
/// NOT ENFORCED constraints
inline constexpr int kNotEnforced = kV18;

}  // namespace since

}  // namespace pgsluice::pg
