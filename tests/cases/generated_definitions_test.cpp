// Definitions that a generator makes of expressions of all kinds: what a server prints of one is other words in each
// release, and often other ones when it is read back. Whatever was made is equal, and what is changed is found.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <functional>
#include <random>

#include "tests/cases/case_fixture.h"
#include "tests/support/randomness.h"

namespace pgsluice::test {
namespace {

using ::testing::HasSubstr;

// A definition, and how it is made another one.
struct Definition {
  std::string name;  ///< as a comparison has to name it
  std::string sql;
  std::string change;
};

class Generator {
 public:
  explicit Generator(int seed) : random_(static_cast<unsigned>(seed)) {}

  std::vector<Definition> definitions(int count) {
    const std::vector<std::function<Definition(int)>> kinds = {
        [this](int n) { return check(n); },     [this](int n) { return default_value(n); },
        [this](int n) { return view(n); },      [this](int n) { return rule(n); },
        [this](int n) { return policy(n); },    [this](int n) { return index(n); },
        [this](int n) { return partition(n); }, [this](int n) { return function(n); },
        [this](int n) { return trigger(n); },   [this](int n) { return statistics(n); },
        [this](int n) { return domain(n); },    [this](int n) { return generated(n); },
    };
    std::vector<Definition> all;
    for (int n = 0; n < count; ++n) all.push_back(kinds[static_cast<std::size_t>(n) % kinds.size()](n));
    return all;
  }

 private:
  std::string one_of(const std::vector<std::string>& texts) { return any_of(random_, texts); }
  int number() { return any_below(random_, 1099) - 99; }
  std::string word() { return fmt::format("'{}{}'", one_of({"new", "paid", "it''s", "a%b", ""}), number()); }

  // Of the columns that every table here has, under a prefix such as "NEW.".
  std::string condition(const std::string& of, int depth = 2) {
    if (depth > 0 && number() % 3 != 0) {
      const std::string left = condition(of, depth - 1);
      const std::string right = condition(of, depth - 1);
      return one_of({fmt::format("({} AND {})", left, right), fmt::format("({} OR {})", left, right),
                     fmt::format("NOT ({})", left), fmt::format("({}) IS NOT FALSE", left),
                     fmt::format("CASE WHEN {} THEN {} ELSE {}i > {} END", left, right, of, number())});
    }
    return one_of({
        fmt::format("{}v IN ({}, {})", of, word(), word()),
        fmt::format("{}c NOT IN ({}, 'x')", of, word()),
        fmt::format("{}v LIKE ANY (ARRAY[{}, {}]::varchar[])", of, word(), word()),
        fmt::format("{}t ~~* {}", of, word()),
        fmt::format("{}i BETWEEN {} AND {}", of, number(), number()),
        fmt::format("{}i BETWEEN SYMMETRIC {} AND {}i", of, number(), of),
        fmt::format("{}n * 1.5 > {}::numeric(8,2) + {}i::numeric", of, number(), of),
        fmt::format("{}n <> ALL ('{{{}, {}}}')", of, number(), number()),
        fmt::format("({}i, {}v) < ({}, {})", of, of, number(), word()),
        fmt::format("{}ts > '2020-01-01 00:00:00'::timestamp + {} * '1 day'::interval", of, number()),
        fmt::format("{}d - '2020-02-29' >= {}", of, number()),
        fmt::format("extract(dow from {}ts) = {}", of, number()),
        fmt::format("{}js ->> 'k' = {}", of, word()),
        fmt::format("{}js @> '{{\"a\": {}}}'", of, number()),
        fmt::format("coalesce({}v, {}) IS DISTINCT FROM {}t", of, word(), of),
        fmt::format("{}a[1] = ANY ({}a[2:3]) OR {} = ANY ({}a)", of, of, number(), of),
        fmt::format("substring({}t from 2 for 3) = trim(both from {}v)", of, of),
        fmt::format("position({} in {}t) > 0", word(), of),
        fmt::format("overlay({}t placing {} from 1) <> ''", of, word()),
        fmt::format("nullif({}c, {}) IS NULL", of, word()),
        fmt::format("greatest({}i, {}, -5) > least({}i, 7)", of, number(), of),
        fmt::format("{}b IS TRUE", of),
        fmt::format("{}v COLLATE \"C\" > {}", of, word()),
        fmt::format("{}v::char(3) = {}::bpchar", of, word()),
        fmt::format("({}i + 1) % 7 = abs({}i) OR {}i IS NULL", of, of, of),
    });
  }

  static std::string table(int n) {
    return fmt::format(
        "CREATE TABLE t{} (i int, v varchar(20), c char(4), t text, n numeric(10,2), ts timestamp, d date, js jsonb,"
        " a int[], b bool);\n",
        n);
  }

  Definition check(int n) {
    return {fmt::format("t{}", n),
            table(n) + fmt::format("ALTER TABLE t{0} ADD CONSTRAINT k{0} CHECK ({1});", n, condition("")),
            fmt::format("ALTER TABLE t{0} DROP CONSTRAINT k{0}; ALTER TABLE t{0} ADD CONSTRAINT k{0} CHECK (i <> 4711)",
                        n)};
  }
  Definition default_value(int n) {
    return {
        fmt::format("t{}", n),
        table(n) +
            fmt::format(
                "ALTER TABLE t{} ALTER t SET DEFAULT {};", n,
                one_of({fmt::format("CASE WHEN now()::text IN ({}, 'a') THEN {} ELSE NULL END", word(), word()),
                        fmt::format("current_user::varchar || {}", word()), fmt::format("upper({}::varchar)", word()),
                        fmt::format("(ARRAY[{}, {}]::varchar[])[1]", word(), word())})),
        fmt::format("ALTER TABLE t{} ALTER t SET DEFAULT 'changed'", n)};
  }
  Definition view(int n) {
    return {
        fmt::format("w{}", n),
        table(n) +
            fmt::format(
                "CREATE VIEW w{0} AS SELECT {1} FROM t{0} x {2} WHERE {3} {4};", n,
                one_of({"x.i, x.v", "x.*",
                        "x.i AS other, row_number() OVER (PARTITION BY x.v ORDER BY x.i DESC) AS nth, x.v"}),
                one_of({"", fmt::format("JOIN t{0} y USING (i)", n),
                        fmt::format("LEFT JOIN LATERAL (SELECT max(z.i) AS most FROM t{0} z WHERE z.v = x.v) q ON true",
                                    n)}),
                condition("x."), one_of({"", "ORDER BY x.i NULLS FIRST LIMIT 5", "OFFSET 1"})),
        fmt::format("DROP VIEW w{0}; CREATE VIEW w{0} AS SELECT i, 'changed'::text AS v FROM t{0}", n)};
  }
  Definition rule(int n) {
    return {fmt::format("t{}", n),
            table(n) +
                fmt::format("CREATE RULE r{0} AS ON UPDATE TO t{0} WHERE {1} DO {2};", n, condition("NEW."),
                            one_of({"INSTEAD NOTHING", fmt::format("ALSO DELETE FROM t{0} WHERE t{0}.i = OLD.i", n)})),
            fmt::format("CREATE OR REPLACE RULE r{0} AS ON UPDATE TO t{0} WHERE NEW.i = 4711 DO INSTEAD NOTHING", n)};
  }
  Definition policy(int n) {
    return {fmt::format("t{}", n),
            table(n) + fmt::format("CREATE POLICY p{0} ON t{0} TO {1} USING ({2}) WITH CHECK ({3});", n,
                                   one_of({"PUBLIC", "generated_b, generated_a", "generated_a, CURRENT_USER"}),
                                   condition(""), condition("")),
            fmt::format("ALTER POLICY p{0} ON t{0} USING (i = 4711)", n)};
  }
  Definition index(int n) {
    return {fmt::format("x{}", n),
            table(n) + fmt::format("CREATE INDEX x{0} ON t{0} ({1}) WHERE {2};", n,
                                   one_of({"i", "(lower(v)) DESC, i", "((i % 7)), c COLLATE \"C\"",
                                           "(coalesce(v, 'a'::varchar)), (n * 2)"}),
                                   condition("", 1)),
            fmt::format("DROP INDEX x{0}; CREATE INDEX x{0} ON t{0} (i) WHERE i = 4711", n)};
  }
  Definition partition(int n) {
    const int bound = number();
    return {fmt::format("t{}_1", n),
            fmt::format("CREATE TABLE t{0} (i int, v varchar(9)) PARTITION BY RANGE ((i * 2), lower(v));"
                        "CREATE TABLE t{0}_1 PARTITION OF t{0} FOR VALUES FROM ({1}, MINVALUE) TO ({1} + {2}, {3});"
                        "CREATE TABLE t{0}_2 PARTITION OF t{0} DEFAULT PARTITION BY LIST (v);"
                        "CREATE TABLE t{0}_2_1 PARTITION OF t{0}_2 FOR VALUES IN ({3}, NULL);",
                        n, bound, 1 + std::abs(number()), word()),
            fmt::format("ALTER TABLE t{0} DETACH PARTITION t{0}_1;"
                        "ALTER TABLE t{0} ATTACH PARTITION t{0}_1 FOR VALUES FROM (4711, 'a') TO (4712, 'b')",
                        n)};
  }
  Definition function(int n) {
    return {fmt::format("f{}", n),
            table(n) +
                fmt::format("CREATE FUNCTION f{0}(p int DEFAULT {1}, q varchar DEFAULT {2}::varchar) RETURNS bigint"
                            " LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t{0} x WHERE {3} AND x.i = f{0}.p; END;",
                            n, number(), word(), condition("x.")),
            fmt::format(
                "CREATE OR REPLACE FUNCTION f{0}(p int DEFAULT 1, q varchar DEFAULT 'changed'::varchar) RETURNS bigint"
                " LANGUAGE sql BEGIN ATOMIC SELECT 4711; END",
                n)};
  }
  Definition trigger(int n) {
    return {fmt::format("t{}", n),
            table(n) +
                fmt::format(
                    "CREATE TRIGGER g{0} AFTER UPDATE ON t{0} FOR EACH ROW WHEN ({1} AND OLD.* IS DISTINCT FROM NEW.*)"
                    " EXECUTE FUNCTION suppress_redundant_updates_trigger({2});",
                    n, condition("NEW."), word()),
            fmt::format(
                "DROP TRIGGER g{0} ON t{0}; CREATE TRIGGER g{0} AFTER UPDATE ON t{0} FOR EACH ROW WHEN (NEW.i = 4711)"
                " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
                n)};
  }
  Definition statistics(int n) {
    return {fmt::format("s{}", n),
            table(n) + fmt::format("CREATE STATISTICS s{0} ON ({1}), i FROM t{0};", n, condition("", 1)),
            fmt::format("DROP STATISTICS s{0}; CREATE STATISTICS s{0} ON (i = 4711), n FROM t{0}", n)};
  }
  Definition domain(int n) {
    return {
        fmt::format("d{}", n),
        fmt::format("CREATE DOMAIN d{0} AS varchar(20) DEFAULT {1} CONSTRAINT k{0} CHECK (VALUE IN ({1}, {2}) OR VALUE "
                    "LIKE {3});",
                    n, word(), word(), word()),
        fmt::format(
            "ALTER DOMAIN d{0} DROP CONSTRAINT k{0}; ALTER DOMAIN d{0} ADD CONSTRAINT k{0} CHECK (VALUE <> 'changed')",
            n)};
  }
  Definition generated(int n) {
    return {
        fmt::format("t{}", n),
        table(n) + fmt::format("ALTER TABLE t{} ADD g bool GENERATED ALWAYS AS ({}) STORED;", n, condition("", 1)),
        fmt::format("ALTER TABLE t{0} DROP g; ALTER TABLE t{0} ADD g bool GENERATED ALWAYS AS (i = 4711) STORED", n)};
  }

  std::mt19937 random_;
};

constexpr int kDefinitions = 200;
constexpr int kChangedAtOnce = 20;

class GeneratedDefinitions : public CaseTest {
 protected:
  void expect_equal_and_changes_found() {
    const int seed = test_seed();
    const int first_changed = seed % 9;
    // In another order on each server, for policies.
    source().sql("postgres", kRoles + "CREATE ROLE generated_a; CREATE ROLE generated_b");
    target().sql("postgres", kRoles + "CREATE ROLE generated_b; CREATE ROLE generated_a");
    make("");
    const std::vector<Definition> all = Generator(seed).definitions(kDefinitions);
    for (const Definition& definition : all) source().sql(kDatabase, definition.sql);
    const SubprocessResult cloned = clone();
    ASSERT_EQ(cloned.exit_code, 0) << said(cloned);
    const SubprocessResult equal = compare_schema();
    ASSERT_EQ(equal.exit_code, 0) << said(equal);
    // Each kind more than once, and all that is changed is named.
    for (int n = first_changed; n < kDefinitions; n += kDefinitions / kChangedAtOnce + 1) {
      target().sql(kDatabase, all[static_cast<std::size_t>(n)].change);
    }
    const SubprocessResult changed = compare_schema();
    EXPECT_EQ(changed.exit_code, 21) << said(changed);
    for (int n = first_changed; n < kDefinitions; n += kDefinitions / kChangedAtOnce + 1) {
      const Definition& definition = all[static_cast<std::size_t>(n)];
      EXPECT_THAT(said(changed), ::testing::ContainsRegex(definition.name + "([^0-9]|$)")) << definition.sql;
    }
    for (const Cluster* server : {&source(), &target()}) {
      server->sql("postgres", "DROP DATABASE cases");
      server->sql("postgres", kRoles);
    }
  }
  const std::string kRoles = "DROP ROLE IF EXISTS generated_a, generated_b;";
};

TEST_F(GeneratedDefinitions, AreEqualWithinOneRelease) { expect_equal_and_changes_found(); }

TEST_F(GeneratedDefinitions, AreEqualFrom15To18) {
  if (!between(15, 18)) GTEST_SKIP() << kNoDownloads;
  expect_equal_and_changes_found();
}

TEST_F(GeneratedDefinitions, AreEqualFrom18To18) {
  if (!between(18, 18)) GTEST_SKIP() << kNoDownloads;
  expect_equal_and_changes_found();
}

}  // namespace
}  // namespace pgsluice::test
