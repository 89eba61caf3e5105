#include "migration/properties_object.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cmath>

#include "base/nearest.h"
#include "pgsluice/error.h"

namespace pgsluice::migration {

namespace {

using Json = nlohmann::json;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

// True if a comma stands before a closing brace or bracket, outside of texts.
bool has_trailing_comma(const std::string& text) {
  bool in_text = false;
  bool after_comma = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_text) {
      if (c == '\\') ++at;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
      after_comma = false;
    } else if (c == ',') {
      after_comma = true;
    } else if (after_comma && (c == '}' || c == ']')) {
      return true;
    } else if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
      after_comma = false;
    }
  }
  return false;
}

// Mistakes that have a better name than the position where the parser stopped; empty for others.
std::string known_mistake(const std::string& text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return "it is in UTF-16: save it as UTF-8";
  if (text.find("\u201c") != std::string::npos || text.find("\u201d") != std::string::npos) {
    return "it holds typographic quotes: JSON's are straight";
  }
  if (has_trailing_comma(text)) return "a comma stands before a closing brace or bracket";
  return "";
}

// The parser's complaint, without the text around it: that may be a password.
std::string without_text(const std::string& what) {
  // "[json.exception.parse_error.101] parse error at line 3, column 5: syntax error … - …; last read: '…'"
  const std::size_t begin = what.find("at line");
  const std::size_t end = what.find(": ", begin == std::string::npos ? 0 : begin);
  return begin == std::string::npos ? "it is no JSON" : fmt::format("no JSON {}", what.substr(begin, end - begin));
}

}  // namespace

bool same_key(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::strncasecmp(one.data(), other.data(), one.size()) == 0;
}

namespace {

// Reads a text without keeping anything of it, so that its form is known to be harmless before a document is made. A
// callback of Json::parse() would look through all of an array for each of its values.
class FormCheck {
 public:
  const std::string& repeated_key() const { return repeated_key_; }

  bool null() { return count(); }
  bool boolean(bool) { return count(); }
  bool number_integer(Json::number_integer_t) { return count(); }
  bool number_unsigned(Json::number_unsigned_t) { return count(); }
  bool number_float(Json::number_float_t, const Json::string_t&) { return count(); }
  bool string(Json::string_t&) { return count(); }
  bool binary(Json::binary_t&) { return count(); }
  bool start_object(std::size_t) {
    open();
    keys_.emplace_back();
    return true;
  }
  bool key(Json::string_t& key) {
    if (repeated_key_.empty() && !keys_.back().insert(lower(key)).second) repeated_key_ = key;
    return count();
  }
  bool end_object() {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) {
    open();
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }
  // Json::parse() comes to the same place and says what is wrong.
  bool parse_error(std::size_t, const std::string&, const Json::exception&) { return false; }

 private:
  void open() {
    constexpr int kMaxDepth = 32;
    count();
    if (++depth_ > kMaxDepth) {
      throw Error(ErrorKind::kConfig, fmt::format("the JSON document is more than {} levels deep", kMaxDepth));
    }
  }
  bool count() {
    constexpr int kMaxValues = 20'000;
    if (++values_ > kMaxValues) {
      throw Error(ErrorKind::kConfig, fmt::format("the JSON document has more than {} values", kMaxValues));
    }
    return true;
  }

  int depth_ = 0;
  int values_ = 0;
  std::vector<std::set<std::string>> keys_;  ///< of the objects that are open
  std::string repeated_key_;
};

}  // namespace

Json parse_json(const std::string& text, std::string* repeated_key) {
  FormCheck form;
  Json::sax_parse(text, &form);
  if (repeated_key != nullptr) *repeated_key = form.repeated_key();
  return Json::parse(text);
}

PropertiesObject PropertiesObject::parse(const std::string& text) {
  std::string twice;
  Json document;
  try {
    document = parse_json(text, &twice);
  } catch (const Json::exception& error) {
    const std::string mistake = known_mistake(text);
    throw Error(ErrorKind::kConfig, mistake.empty() ? without_text(error.what())
                                                    : fmt::format("{}; {}", without_text(error.what()), mistake))
        .hint("a properties file is {\"properties\": {…}}; see docs/migration.md");
  }
  if (!twice.empty()) throw Error(ErrorKind::kConfig, fmt::format("the key {} stands twice in one object", twice));
  if (!document.is_object()) {
    throw Error(ErrorKind::kConfig, "a JSON object is wanted, {\"properties\": {…}}");
  }
  return {std::move(document), ""};
}

const Json* PropertiesObject::find(const std::string& key) const {
  for (const auto& [name, value] : object_.items()) {
    if (same_key(name, key)) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

bool PropertiesObject::names(const std::string& key) const {
  const auto items = object_.items();
  return std::any_of(items.begin(), items.end(), [&](const auto& item) { return same_key(item.key(), key); });
}

const Json* PropertiesObject::take(const std::string& key) {
  known_.insert(key);
  return find(key);
}

bool PropertiesObject::has(const std::string& key) const { return find(key) != nullptr; }

std::string PropertiesObject::path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }

void PropertiesObject::refuse(const std::string& key, const std::string& what) const {
  throw Error(ErrorKind::kConfig, fmt::format("{} {}", path_of(key), what));
}

void PropertiesObject::refuse_type(const std::string& key, const Json& value, std::string_view wanted) const {
  refuse(key, fmt::format("is of type {}: {} is wanted", value.type_name(), wanted));
}

std::optional<std::string> PropertiesObject::text(const std::string& key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse_type(key, *value, "a text");
  auto result = value->get<std::string>();
  constexpr std::size_t kMaxLength = 4096;
  if (result.empty()) refuse(key, "is empty");
  if (result.size() > kMaxLength) refuse(key, fmt::format("is longer than {} characters", kMaxLength));
  if (result.find('\0') != std::string::npos) refuse(key, "holds a byte of value 0");
  return result;
}

bool PropertiesObject::is_text(const std::string& key, std::string_view text) {
  const Json* value = take(key);
  return value != nullptr && value->is_string() && same_key(value->get_ref<const std::string&>(), text);
}

std::optional<bool> PropertiesObject::boolean(const std::string& key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  if (value->is_string() && same_key(value->get_ref<const std::string&>(), "true")) return true;
  if (value->is_string() && same_key(value->get_ref<const std::string&>(), "false")) return false;
  if (value->is_string()) refuse(key, "is neither true nor false");
  refuse_type(key, *value, "true or false");
}

std::optional<std::int64_t> PropertiesObject::integer(const std::string& key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_float()) {
    // 4.0 is a whole number, as programs write it whose numbers are all of one type.
    const double number = value->get<double>();
    constexpr double kExact = 9007199254740992;  // 2^53
    if (number == std::floor(number) && std::abs(number) <= kExact) return static_cast<std::int64_t>(number);
  }
  if (!value->is_number_integer()) refuse_type(key, *value, "an integer");
  return value->get<std::int64_t>();
}

std::optional<std::vector<std::string>> PropertiesObject::texts(const std::string& key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) refuse_type(key, *value, "a list of texts");
  std::vector<std::string> result;
  for (const Json& element : *value) {
    if (!element.is_string()) refuse_type(fmt::format("{}[{}]", key, result.size()), element, "a text");
    result.push_back(element.get<std::string>());
  }
  return result;
}

std::optional<PropertiesObject> PropertiesObject::object(const std::string& key) {
  const Json* value = take(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse_type(key, *value, "an object {…}");
  return PropertiesObject(*value, path_of(key));
}

Json PropertiesObject::rest() {
  Json rest = Json::object();
  for (const auto& [name, value] : object_.items()) {
    const bool asked = std::any_of(known_.begin(), known_.end(), [&](const auto& key) { return same_key(key, name); });
    if (!asked) rest[name] = value;
  }
  return rest;
}

void PropertiesObject::require_all_known() const {
  for (const auto& [name, value] : object_.items()) {
    const bool asked = std::any_of(known_.begin(), known_.end(), [&](const auto& key) { return same_key(key, name); });
    if (asked) continue;
    const std::vector<std::string> known(known_.begin(), known_.end());
    const std::optional<std::string> meant = nearest(name, known);
    refuse(name, meant ? fmt::format("is not known; did you mean {}?", *meant) : "is not known");
  }
}

}  // namespace pgsluice::migration
