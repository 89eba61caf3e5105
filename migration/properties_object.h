#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pgsluice::migration {

/// True if two keys are the same, whatever their case.
bool same_key(std::string_view one, std::string_view other);

/// Returns the document that a text from elsewhere holds, in linear time. `repeated_key` gets the first key that stands
/// twice in one object, whatever its case. Throws nlohmann's exception for what is not JSON, and Error(kConfig) for a
/// document that is deeper or has more values than any that we know: it would be freed by recursion, and takes many
/// times the memory of its text.
nlohmann::json parse_json(const std::string& text, std::string* repeated_key = nullptr);

/// An object of a properties file: its values are taken by key, whatever the case, and what was not asked for is
/// unknown. null is as good as absent. Every function throws Error(kConfig), which names the key by its path from
/// the top and never shows a value that may be a secret.
class PropertiesObject {
 public:
  /// Throws for what is no JSON object, and for a key that stands twice.
  static PropertiesObject parse(const std::string& text);

  bool has(const std::string& key) const;
  /// Like the above, also for a key whose value is null.
  bool names(const std::string& key) const;
  std::optional<std::string> text(const std::string& key);
  /// True if the key's value is this text, whatever its case; the key is known from here on.
  bool is_text(const std::string& key, std::string_view text);
  /// true, false, "true", "false".
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::int64_t> integer(const std::string& key);
  std::optional<std::vector<std::string>> texts(const std::string& key);
  std::optional<PropertiesObject> object(const std::string& key);

  /// Returns the keys that have not been asked for; they are known from here on.
  nlohmann::json rest();
  void require_all_known() const;

  std::string path_of(const std::string& key) const;
  [[noreturn]] void refuse(const std::string& key, const std::string& what) const;

 private:
  PropertiesObject(nlohmann::json object, std::string path) : object_(std::move(object)), path_(std::move(path)) {}

  const nlohmann::json* find(const std::string& key) const;
  const nlohmann::json* take(const std::string& key);
  [[noreturn]] void refuse_type(const std::string& key, const nlohmann::json& value, std::string_view wanted) const;

  nlohmann::json object_;
  std::string path_;
  /// As the callers spell them.
  std::set<std::string> known_;
};

}  // namespace pgsluice::migration
