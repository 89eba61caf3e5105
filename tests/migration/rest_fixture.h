#pragma once

#include <gmock/gmock.h>
#include <httplib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "migration/http/rest_api.h"
#include "pgsluice/migration/store.h"
#include "tests/support/recording_sink.h"

namespace pgsluice::migration {

using Json = nlohmann::json;

// The REST API over real connections, with real workers.
inline constexpr const char* kPassword = "s3cret-of-the-test";
inline constexpr const char* kToken = "t0ken-of-the-test";

class RestServer {
 public:
  explicit RestServer(const std::filesystem::path& store, LogSink& sink, HttpOptions options = {},
                      const std::string& worker_command = "")
      : server_(with_port(std::move(options)), Log(sink)) {
    add_rest_routes(server_,
                    {.store = store,
                     .properties = {.origin = PropertiesContext::Origin::kRemote},
                     .worker = {.program = PGSLUICE_PROGRAM, .command = worker_command},
                     .delete_patience = std::chrono::milliseconds(300)},
                    Log(sink));
    server_.start();
  }

  const std::string& url() const { return server_.url(); }
  httplib::Client client(const std::string& token = kToken) const {
    httplib::Client client(server_.url());
    client.set_read_timeout(60);
    if (!token.empty()) client.set_bearer_token_auth(token);
    return client;
  }

 private:
  static HttpOptions with_port(HttpOptions options) {
    options.listen = "127.0.0.1:0";
    options.token = kToken;
    return options;
  }

  HttpServer server_;
};

inline Json body_of(const httplib::Result& result) { return Json::parse(result->body); }

class RestTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::filesystem::path store_ = folder_.path() / "store";
  test::RecordingSink sink_;
};

}  // namespace pgsluice::migration
