#include "pgsluice/migration/rest_api.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "pgsluice/base/wait.h"
#include "pgsluice/migration/document.h"
#include "pgsluice/migration/metrics.h"
#include "pgsluice/migration/page.h"
#include "pgsluice/migration/properties_object.h"
#include "pgsluice/migration/table_activity.h"

namespace pgsluice::migration {

namespace {

using Json = nlohmann::ordered_json;
using HttpRequest = httplib::Request;
using HttpResponse = httplib::Response;

constexpr std::chrono::milliseconds kPeriod{1000};
// Each holds a thread of the server's.
constexpr int kMostStreams = 32;

std::optional<std::string> parameter(const HttpRequest& request, const char* name) {
  if (!request.has_param(name)) return std::nullopt;
  return request.get_param_value(name);
}

Json samples_document(const std::vector<Sample>& samples) {
  Json list = Json::array();
  for (const Sample& sample : samples) {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(sample.at.time_since_epoch());
    list.push_back({{"at", since_epoch.count()}, {"copiedBytes", sample.copied.count}});
  }
  return list;
}

Json state_of(Store& store, const Migration& migration) {
  return {{"migration", to_document(migration)},
          {"samples", samples_document(store.samples(migration.id))},
          {"tables", tables_document(store.work_folder(migration.id), migration.databases)}};
}

bool is_true(const Json& value) {
  return value == true || (value.is_string() && ::strcasecmp(value.get_ref<const std::string&>().c_str(), "true") == 0);
}

// The routes' own state, shared by the handlers.
class RestApi {
 public:
  RestApi(RestOptions options, const CancelToken& stopping, const Log& log)
      : options_(std::move(options)), stopping_(stopping), log_(log) {}

  void create(const HttpRequest& request, HttpResponse& response) {
    const std::string name = request.matches[1];
    const Migrations at(*this, request);
    const bool resume = parameter(request, "resume").value_or("") == "true";
    PropertiesContext context = options_.properties;
    context.target = at.target;
    const Request wanted = parse_properties(request.body, context);
    const Migration migration = resume ? take_up_again(at.store(), at.find(name), wanted)
                                       : migration::create(at.store(), name, at.target.value_or(""), {}, wanted);
    start_worker(at.store(), migration, request.body, options_.worker);
    log_.info(fmt::format("migration {} begun", name));
    answer_json(response, to_text(at.store().find(migration.name, migration.target)), 201);
  }

  void show(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    answer_json(response, to_text(at.find(request.matches[1])));
  }

  void list(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    const std::string filter = parameter(request, "migrationListFilter").value_or("Active");
    const bool all = ::strcasecmp(filter.c_str(), "All") == 0;
    if (!all && ::strcasecmp(filter.c_str(), "Active") != 0) {
      throw Error(ErrorKind::kUsage, "migrationListFilter: Active or All is wanted");
    }
    Json list = Json::array();
    for (const Migration& migration : at.store().list(all ? Filter::kAll : Filter::kActive, at.target)) {
      list.push_back(to_document(migration));
    }
    answer_json(response, to_text(Json{{"value", std::move(list)}}));
  }

  void update(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    Json cancel;
    try {
      const Json body = Json::parse(request.body);
      for (const auto& [name, properties] : body.items()) {
        if (!same_key(name, "properties") || !properties.is_object()) continue;
        for (const auto& [key, value] : properties.items()) {
          if (same_key(key, "cancel")) cancel = value;
        }
      }
    } catch (const Json::exception&) {
      throw Error(ErrorKind::kUsage, "the body is no JSON");
    }
    if (!is_true(cancel)) {
      throw Error(ErrorKind::kUsage, R"(all that can be changed is {"properties":{"cancel":"True"}})");
    }
    const Migration migration = at.find(request.matches[1]);
    at.store().request_cancel(migration);
    log_.info(fmt::format("migration {}: cancel requested", migration.name));
    answer_json(response, to_text(at.store().find(migration.name, migration.target)), 202);
  }

  void remove(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    Migration migration = at.find(request.matches[1]);
    if (migration.active()) at.store().request_cancel(migration);
    const auto end = std::chrono::steady_clock::now() + options_.delete_patience;
    while ((migration = at.store().find(migration.name, migration.target)).active()) {
      if (std::chrono::steady_clock::now() >= end) {
        answer_json(response, to_text(migration), 202);  // it is being cancelled: to be asked again
        return;
      }
      if (wait_for({}, stopping_, kPeriod / 4) == WaitResult::kCancelled) {
        throw HttpError(503, "Stopping", "the server is being ended; the migration is being cancelled");
      }
    }
    at.store().remove(migration);
    log_.info(fmt::format("migration {} deleted", migration.name));
    response.status = 204;
  }

  void check_name(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    std::string name;
    try {
      name = Json::parse(request.body).at("name").get<std::string>();
    } catch (const Json::exception&) {
      throw Error(ErrorKind::kUsage, R"(a body {"name":"…"} is wanted)");
    }
    answer_json(response, to_text(to_document(migration::check_name(at.store(), name, at.target.value_or("")))));
  }

  void samples(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    const Migration migration = at.find(request.matches[1]);
    answer_json(response, to_text(Json{{"value", samples_document(at.store().samples(migration.id))}}));
  }

  void tables(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    const Migration migration = at.find(request.matches[1]);
    answer_json(response,
                to_text(Json{{"value", tables_document(at.store().work_folder(migration.id), migration.databases)}}));
  }

  // Until the migration has come to its end, or the client is gone.
  void events(const HttpRequest& request, HttpResponse& response) {
    const Migrations at(*this, request);
    const Migration first = at.find(request.matches[1]);
    auto store = std::make_shared<Store>(options_.store);
    if (++streams_ > kMostStreams) {
      --streams_;
      response.set_header("Retry-After", "5");
      answer_error(response, 503, "TooManyStreams", "too many follow their migrations live; ask for its state instead");
      return;
    }
    response.set_chunked_content_provider(
        "text/event-stream",
        [this, store, id = first.id](std::size_t offset, httplib::DataSink& sink) {
          if (offset > 0 && wait_for({}, stopping_, kPeriod) == WaitResult::kCancelled) return false;
          const bool sent = send_event(*store, id, sink);
          if (offset == 0 && sent) log_.debug(fmt::format("migration {} is followed", id));
          return sent;
        },
        [this](bool) { --streams_; });
  }

  void metrics(const HttpRequest&, HttpResponse& response) {
    Store store(options_.store);
    response.set_content(to_metrics(store.list(Filter::kKept, std::nullopt)), "text/plain; version=0.0.4");
  }

 private:
  // A handler's own store, since a store belongs to a thread.
  struct Migrations {
    Migrations(const RestApi& api, const HttpRequest& request)
        : target(parameter(request, "target")), store_(std::make_unique<Store>(api.options_.store)) {}

    Store& store() const { return *store_; }
    Migration find(const std::string& name) const {
      if (store_->named(name, target).empty()) {
        throw HttpError(404, "NotFound", fmt::format("there is no migration named {}", name));
      }
      return store_->find(name, target);
    }

    std::optional<std::string> target;

   private:
    std::unique_ptr<Store> store_;
  };

  bool send_event(Store& store, const std::string& id, httplib::DataSink& sink) const {
    try {
      store.list(Filter::kActive, std::nullopt);  // finds out about workers that have died
      const std::optional<Migration> now = store.find_id(id);
      if (now) {
        const std::string text = fmt::format("data: {}\n\n", to_text(state_of(store, *now)));
        if (!sink.write(text.data(), text.size())) return false;
      }
      if (!now || !now->active()) sink.done();
      return true;
    } catch (const std::exception& error) {
      log_.error(fmt::format("the state of a migration cannot be sent: {}", error.what()));
      return false;
    }
  }

  const RestOptions options_;
  const CancelToken stopping_;
  const Log log_;
  std::atomic<int> streams_{0};
};

}  // namespace

void add_worker_routes(HttpServer& server, std::function<Migration()> read) {
  server.get_open("/healthz",
                  [](const HttpRequest&, HttpResponse& response) { response.set_content("ok\n", "text/plain"); });
  server.get("/metrics", [read](const HttpRequest&, HttpResponse& response) {
    response.set_content(to_metrics({read()}), "text/plain; version=0.0.4");
  });
  server.get("/status", [read](const HttpRequest&, HttpResponse& response) { answer_json(response, to_text(read())); });
}

void add_rest_routes(HttpServer& server, RestOptions options, const Log& log) {
  const auto api = std::make_shared<RestApi>(std::move(options), server.stopping(), log);
  const auto to = [&api](void (RestApi::*handler)(const HttpRequest&, HttpResponse&)) {
    return [api = api, handler](const HttpRequest& request, HttpResponse& response) {
      ((*api).*handler)(request, response);
    };
  };
  constexpr const char* kOne = R"(/migrations/([^/]+))";
  server.put(kOne, to(&RestApi::create));
  server.get(kOne, to(&RestApi::show));
  server.patch(kOne, to(&RestApi::update));
  server.remove(kOne, to(&RestApi::remove));
  server.get("/migrations", to(&RestApi::list));
  server.get(R"(/migrations/([^/]+)/samples)", to(&RestApi::samples));
  server.get(R"(/migrations/([^/]+)/tables)", to(&RestApi::tables));
  server.get(R"(/migrations/([^/]+)/events)", to(&RestApi::events));
  server.post("/checkMigrationNameAvailability", to(&RestApi::check_name));
  server.get("/metrics", to(&RestApi::metrics));
  server.get_open("/healthz",
                  [](const HttpRequest&, HttpResponse& response) { response.set_content("ok\n", "text/plain"); });
  for (const PageFile& file : page_files()) {
    server.get_open(file.path, [file](const HttpRequest&, HttpResponse& response) {
      response.set_content(std::string(file.content), file.type);
    });
  }
}

}  // namespace pgsluice::migration
