// The rules of docs/filters.md, applied to objects that no server has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "schema/selection/selector.h"

namespace pgsluice::schema {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Oid kPgProc = 1255;

// Objects by the names that the tests give them: "public.orders" is a relation, "sales" a schema.
class SelectionTest : public ::testing::Test {
 protected:
  CatalogId schema(const std::string& name) {
    const CatalogId id = add({kPgNamespace, next_}, name);
    names_.schemas.push_back({.oid = id.oid, .name = name});
    return id;
  }
  CatalogId relation(const std::string& name, char kind = 'r') {
    const std::size_t dot = name.find('.');
    const std::string schema_name = name.substr(0, dot);
    if (!ids_.contains(schema_name)) schema(schema_name);
    const CatalogId id = add({kPgClass, next_}, name);
    names_.relations.push_back({.oid = id.oid,
                                .schema_oid = ids_.at(schema_name).oid,
                                .schema = schema_name,
                                .name = name.substr(dot + 1),
                                .kind = kind});
    depend(id, ids_.at(schema_name));
    return id;
  }
  CatalogId extension(const std::string& name, const std::string& schema_name) {
    if (!ids_.contains(schema_name)) schema(schema_name);
    const CatalogId id = add({kPgExtension, next_}, name);
    names_.extensions.push_back({.oid = id.oid, .schema_oid = ids_.at(schema_name).oid, .name = name});
    depend(id, ids_.at(schema_name));
    return id;
  }
  CatalogId other(Oid catalog, const std::string& name) { return add({catalog, next_}, name); }

  void depend(CatalogId dependent, CatalogId on, char type = 'n') { dependencies_.push_back({dependent, on, type}); }
  void inherit(CatalogId child, CatalogId parent, bool is_partition) {
    names_.parents.emplace(child.oid, parent.oid);
    if (is_partition) names_.partitions.emplace(parent.oid, child.oid);
    depend(child, parent, is_partition ? 'a' : 'n');
  }

  void select(const std::string& filter, std::set<std::string, std::less<>> extensions_on_target = {}) {
    const FilterRules rules = parse_filter_rules(filter, "filter");
    auto [selection, dependents] = select_objects(
        names_, Dependencies(dependencies_), {.rules = rules, .extensions_on_target = std::move(extensions_on_target)});
    selection_ = std::move(selection);
    dependents_.clear();
    for (const auto& [id, because] : dependents) dependents_.push_back(name(id) + " needs " + name(because));
  }

  std::vector<std::string> left_out() const {
    std::vector<std::string> result;
    for (const CatalogId& id : selection_.left_out) result.push_back(name(id));
    return result;
  }
  std::vector<std::string> without_rows() const {
    std::vector<std::string> result;
    for (const Oid oid : selection_.without_rows) result.push_back(name({kPgClass, oid}));
    return result;
  }

  ObjectNames names_;
  Selection selection_;
  std::vector<std::string> dependents_;

 private:
  CatalogId add(CatalogId id, const std::string& name) {
    ++next_;
    ids_[name] = id;
    return id;
  }
  std::string name(CatalogId id) const {
    const auto found = std::find_if(ids_.begin(), ids_.end(), [&](const auto& known) { return known.second == id; });
    return found == ids_.end() ? "?" : found->first;
  }

  Oid next_ = 16384;
  std::map<std::string, CatalogId> ids_;
  std::vector<Dependency> dependencies_;
};

TEST_F(SelectionTest, ATableTakesItsPartsAlongAndNamesOnlyWhatElseGoes) {
  const CatalogId orders = relation("public.orders");
  const CatalogId index = relation("public.orders_key", 'i');
  depend(index, orders, 'a');
  const CatalogId view = relation("public.totals", 'v');
  const CatalogId rule = other(2618, "rule of totals");
  depend(rule, view, 'i');
  depend(view, rule, 'i');
  depend(rule, orders);
  relation("public.customers");
  select("[exclude-table]\npublic.orders\n");
  EXPECT_THAT(left_out(),
              UnorderedElementsAre("public.orders", "public.orders_key", "public.totals", "rule of totals"));
  EXPECT_THAT(selection_.named, ElementsAre("[exclude-table]: public.orders"));
  EXPECT_THAT(selection_.table_patterns, ElementsAre("\"public\".\"orders\"", "\"public\".\"totals\""));
}

TEST_F(SelectionTest, AForeignKeyGoesWithTheTableThatItRefersTo) {
  const CatalogId customers = relation("public.customers");
  const CatalogId orders = relation("public.orders");
  const CatalogId key = other(kPgConstraint, "orders_customer_fkey");
  depend(key, orders, 'a');
  depend(key, customers);
  select("[exclude-table]\npublic.customers\n");
  EXPECT_THAT(left_out(), UnorderedElementsAre("public.customers", "orders_customer_fkey"));
  EXPECT_THAT(dependents_, ElementsAre("orders_customer_fkey needs public.customers"));
}

TEST_F(SelectionTest, ACheckThatIsWrittenInItsTableTakesTheTableAlong) {
  const CatalogId orders = relation("public.orders");
  const CatalogId function = other(kPgProc, "is_valid()");
  const CatalogId inline_check = other(kPgConstraint, "orders_check");
  names_.inline_constraints.insert(inline_check.oid);
  depend(inline_check, orders, 'a');
  depend(inline_check, function);
  const CatalogId gone = schema("gone");
  depend(function, gone);
  select("[exclude-schema]\ngone\n");
  EXPECT_FALSE(selection_.keeps(orders));

  names_.inline_constraints.clear();  // one that is NOT VALID is added by a statement of its own
  select("[exclude-schema]\ngone\n");
  EXPECT_TRUE(selection_.keeps(orders));
  EXPECT_FALSE(selection_.keeps(inline_check));
}

TEST_F(SelectionTest, AListedTableComesWithItsPartitionsAndWhatItIsOneOf) {
  const CatalogId root = relation("public.root", 'p');
  const CatalogId middle = relation("public.middle", 'p');
  const CatalogId leaf = relation("public.leaf");
  inherit(middle, root, true);
  inherit(leaf, middle, true);
  const CatalogId sibling = relation("public.sibling");
  inherit(sibling, root, true);
  relation("public.other");
  select("[include-only-table]\npublic.middle\n");
  EXPECT_THAT(left_out(), UnorderedElementsAre("public.sibling", "public.other"));
  EXPECT_THAT(selection_.named, ElementsAre("not in [include-only-table]: public.sibling, public.other"));
}

TEST_F(SelectionTest, ASequenceStaysForTheDefaultThatCallsIt) {
  const CatalogId owner = relation("public.owner");
  const CatalogId user = relation("public.user");
  const CatalogId sequence = relation("public.ids", 'S');
  depend(sequence, owner, 'a');
  const CatalogId owners_default = other(kPgAttrdef, "default of owner");
  depend(owners_default, owner, 'a');
  depend(owners_default, sequence);
  select("[exclude-table]\npublic.owner\n");
  EXPECT_FALSE(selection_.keeps(sequence));
  EXPECT_THAT(selection_.sequences_without_owner, IsEmpty());

  const CatalogId users_default = other(kPgAttrdef, "default of user");
  depend(users_default, user, 'a');
  depend(users_default, sequence);
  select("[exclude-table]\npublic.owner\n");
  EXPECT_TRUE(selection_.keeps(sequence));
  EXPECT_TRUE(selection_.keeps(user));
  EXPECT_THAT(selection_.sequences_without_owner, ElementsAre(sequence.oid));
}

TEST_F(SelectionTest, AnExpressionDoesNotTakeASequenceThatIsUsed) {
  const CatalogId table = relation("public.kept");
  const CatalogId used = relation("public.tmp_ids", 'S');
  depend(used, table, 'a');
  relation("public.tmp_free", 'S');
  select("[exclude-table]\npublic.~/^tmp_/\n");
  EXPECT_THAT(left_out(), ElementsAre("public.tmp_free"));
  select("[exclude-table]\npublic.tmp_ids\n");
  EXPECT_FALSE(selection_.keeps(used));
}

TEST_F(SelectionTest, ASchemaOfAnExtensionIsMadeForTheExtensionAlone) {
  extension("hstore", "tools");
  relation("tools.scratch");
  relation("public.orders");
  select("[exclude-schema]\ntools\n");
  EXPECT_THAT(left_out(), ElementsAre("tools.scratch"));
  EXPECT_THAT(selection_.schema_patterns, IsEmpty());

  select("[exclude-schema]\ntools\n[exclude-extension]\nhstore\n");
  EXPECT_THAT(left_out(), UnorderedElementsAre("tools", "tools.scratch", "hstore"));
  EXPECT_THAT(selection_.schema_patterns, ElementsAre("\"tools\""));
}

TEST_F(SelectionTest, OnlyListedSchemasAndThoseOfListedTablesStay) {
  relation("sales.orders");
  relation("sales.items");
  relation("hr.people");
  relation("scratch.notes");
  select("[include-only-schema]\nhr\n[include-only-table]\nsales.orders\nhr.people\n");
  EXPECT_THAT(left_out(), UnorderedElementsAre("scratch", "sales.items", "scratch.notes"));
}

TEST_F(SelectionTest, AnExtensionOfTheTargetKeepsWhatNeedsIt) {
  const CatalogId hstore = extension("hstore", "public");
  const CatalogId type = other(1247, "type hstore");
  depend(type, hstore, 'e');
  const CatalogId table = relation("public.things");
  depend(table, type);
  select("[exclude-extension]\nhstore\n", {"hstore"});
  EXPECT_THAT(left_out(), UnorderedElementsAre("hstore", "type hstore"));
  EXPECT_THAT(selection_.needed_extensions, ElementsAre("hstore"));

  select("[exclude-extension]\nhstore\n");
  EXPECT_THAT(left_out(), UnorderedElementsAre("hstore", "type hstore", "public.things"));
  EXPECT_THAT(selection_.needed_extensions, IsEmpty());
}

TEST_F(SelectionTest, RowsStayAwayFromPartitionsAndFromViewsOfUnfilledViews) {
  const CatalogId root = relation("public.root", 'p');
  const CatalogId leaf = relation("public.leaf");
  inherit(leaf, root, true);
  const CatalogId first = relation("public.first", 'm');
  const CatalogId second = relation("public.second", 'm');
  const CatalogId rule = other(2618, "rule of second");
  depend(rule, second, 'i');
  depend(rule, first);
  select("[exclude-table-data]\npublic.root\npublic.first\n");
  EXPECT_THAT(left_out(), IsEmpty());
  EXPECT_THAT(without_rows(), UnorderedElementsAre("public.root", "public.leaf", "public.first", "public.second"));
  EXPECT_THAT(selection_.warnings, ElementsAre(HasSubstr("public.second stays unfilled too")));
}

TEST_F(SelectionTest, AnIndexOfAPartitionLeavesThatAboveItInvalid) {
  const CatalogId above = relation("public.root_key", 'I');
  const CatalogId below = relation("public.leaf_key", 'i');
  names_.parents.emplace(below.oid, above.oid);
  select("[exclude-index]\npublic.leaf_key\n");
  EXPECT_THAT(left_out(), ElementsAre("public.leaf_key"));
  EXPECT_THAT(selection_.warnings, ElementsAre(HasSubstr("stays invalid on the target")));
  select("[exclude-index]\npublic.leaf_key\npublic.root_key\n");
  EXPECT_THAT(selection_.warnings, IsEmpty());
}

TEST_F(SelectionTest, AnEntryThatNamesNothingIsAMistakeUnlessItIsAnExpression) {
  relation("public.Orders");
  select("[exclude-table]\npublic.Orders\npublic.~/^none/\npublic.typo\n");
  EXPECT_THAT(left_out(), IsEmpty());
  EXPECT_THAT(selection_.warnings, ElementsAre(HasSubstr("names with capitals have to be quoted"),
                                               HasSubstr("line 4, public.typo in [exclude-table], names nothing")));
}

}  // namespace
}  // namespace pgsluice::schema
