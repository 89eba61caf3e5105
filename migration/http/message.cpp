#include "migration/http/message.h"

#include <strings.h>

#include <algorithm>
#include <boost/url/encode.hpp>
#include <boost/url/parse_query.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <nlohmann/json.hpp>

namespace pgsluice::migration {

std::string HttpRequest::header(const std::string& name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& header) {
    return ::strcasecmp(header.first.c_str(), name.c_str()) == 0;
  });
  return found == headers.end() ? std::string() : found->second;
}

std::optional<std::string> HttpRequest::parameter(const std::string& name) const {
  const auto found = std::find_if(parameters.begin(), parameters.end(),
                                  [&](const auto& parameter) { return parameter.first == name; });
  if (found == parameters.end()) return std::nullopt;
  return found->second;
}

HttpResponse json_response(std::string document, int status) {
  return {.status = status, .content_type = "application/json", .body = std::move(document)};
}

HttpResponse error_response(int status, const std::string& code, const std::string& message) {
  const nlohmann::ordered_json document = {{"error", {{"code", code}, {"message", message}}}};
  return json_response(document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace), status);
}

namespace {

// True if a name, a target or a filter may be this: valid UTF-8 without a zero byte.
bool is_text(const std::string& decoded) {
  if (decoded.find('\0') != std::string::npos) return false;
  try {
    (void)nlohmann::json(decoded).dump();  // refuses what is not UTF-8
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

}  // namespace

std::optional<std::string> percent_decoded(const std::string& text) {
  const auto encoded = boost::urls::make_pct_string_view(text);
  if (!encoded) return std::nullopt;
  std::string decoded = encoded->decode();
  if (!is_text(decoded)) return std::nullopt;
  return decoded;
}

std::string percent_encoded(const std::string& text) {
  return boost::urls::encode(text, boost::urls::unreserved_chars);
}

std::optional<std::vector<std::pair<std::string, std::string>>> query_parameters(const std::string& query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  if (query.empty()) return parameters;
  const auto parsed = boost::urls::parse_query(query);
  if (!parsed) return std::nullopt;
  for (const auto& parameter : *parsed) {
    boost::urls::encoding_opts form;
    form.space_as_plus = true;
    std::string key = parameter.key.decode(form);
    std::string value = parameter.value.decode(form);
    if (!is_text(key) || !is_text(value)) return std::nullopt;
    parameters.emplace_back(std::move(key), std::move(value));
  }
  return parameters;
}

}  // namespace pgsluice::migration
