#include "migration/http/rest_api.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <strings.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/wait.h"
#include "migration/document.h"
#include "migration/http/metrics.h"
#include "migration/http/page.h"
#include "migration/http/server.h"
#include "migration/pace_change.h"
#include "migration/progress_estimate.h"
#include "migration/properties_object.h"
#include "migration/table_activity.h"

namespace pgsluice::migration {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kPeriod{1000};

// A target as a migration names it: "host:port", or what --target called it.
constexpr std::size_t kMaxTargetLength = 255;

std::optional<std::string> target_of(const HttpRequest& request) {
  std::optional<std::string> target = request.parameter("target");
  if (!target) return std::nullopt;
  const bool is_printable = std::none_of(target->begin(), target->end(), [](unsigned char c) { return c < ' '; });
  if (target->empty() || target->size() > kMaxTargetLength || !is_printable) {
    throw Error(ErrorKind::kUsage, fmt::format("target: must have 1 to {} printable characters", kMaxTargetLength));
  }
  return target;
}

bool says_true(const std::string& text) { return ::strcasecmp(text.c_str(), "true") == 0; }

bool flag_of(const HttpRequest& request, const char* name) {
  const std::optional<std::string> value = request.parameter(name);
  if (!value || ::strcasecmp(value->c_str(), "false") == 0) return false;
  if (says_true(*value)) return true;
  throw Error(ErrorKind::kUsage, fmt::format("{}: must be true or false, not \"{}\"", name, *value));
}

// A parameter that is misspelled would otherwise be ignored without a word.
void require_known_parameters(const HttpRequest& request, const std::vector<std::string>& known) {
  for (const auto& [name, value] : request.parameters) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw Error(ErrorKind::kUsage, fmt::format("the parameter {} is not known here", name))
        .hint(known.empty() ? "this path takes none" : fmt::format("known are: {}", fmt::join(known, ", ")));
  }
}

Json samples_document(const std::vector<Sample>& samples) {
  Json list = Json::array();
  for (const Sample& sample : samples) {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(sample.at.time_since_epoch());
    list.push_back({{"at", since_epoch.count()},
                    {"copiedBytes", sample.copied.count},
                    {"fractionDone", sample.fraction},
                    {"phase", sample.phase}});
  }
  return list;
}

Json state_of(Store& store, const Migration& migration) {
  return {{"migration", to_document(migration)},
          {"samples", samples_document(store.samples(migration.id))},
          {"tables", tables_document(store.work_folder(migration.id), migration.databases)}};
}

/// A PATCH: a change of pace, or else a cancellation.
struct Update {
  std::optional<pipeline::PaceChange> pace;
};

Update update_of(const std::string& body) {
  PropertiesObject document = PropertiesObject::parse(body);
  std::optional<PropertiesObject> properties = document.object("properties");
  const bool cancels = properties && properties->boolean("cancel").value_or(false);
  std::optional<PropertiesObject> pace = properties ? properties->object("pace") : std::nullopt;
  if (cancels == pace.has_value()) {
    throw Error(
        ErrorKind::kUsage,
        R"(what can be changed is {"properties":{"cancel":"True"}} or {"properties":{"pace":{"paused":true}}}, with "maxRate" and "maxSourceSessions")");
  }
  return {.pace = pace ? std::optional(read_pace_change(*pace)) : std::nullopt};
}

enum class View { kWhole, kSummary };

View view_of(const HttpRequest& request) {
  const std::string view = request.parameter("view").value_or("whole");
  if (view == "summary") return View::kSummary;
  if (view == "whole") return View::kWhole;
  throw Error(ErrorKind::kUsage, "view: must be whole or summary");
}

// Migrations that are read from the store at a time.
constexpr std::size_t kPart = 4;

std::size_t page_size_of(const HttpRequest& request) {
  constexpr std::size_t kUsual = 100;
  constexpr std::size_t kMax = 500;
  const std::optional<std::string> given = request.parameter("limit");
  if (!given) return kUsual;
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), size);
  if (error != std::errc() || end != given->data() + given->size() || size < 1 || size > kMax) {
    throw Error(ErrorKind::kUsage, fmt::format("limit: must be a number from 1 to {}", kMax));
  }
  return size;
}

// The path of the list's next part: the same question, after the last of this one.
std::string next_link(const HttpRequest& request, const std::string& last) {
  std::string link = request.path;
  char separator = '?';
  for (const auto& [name, value] : request.parameters) {
    if (name == "after") continue;
    link += fmt::format("{}{}={}", separator, name, percent_encoded(value));
    separator = '&';
  }
  return fmt::format("{}{}after={}", link, separator, last);
}

// The part of a migration that a list shows: its size does not grow with the databases' findings.
Json to_summary(const Migration& migration) {
  constexpr std::size_t kMaxError = 300;
  const bool is_told = migration.active() || migration.state == State::kSucceeded;
  return {{"name", migration.name},
          {"target", migration.target},
          {"id", migration.id},
          {"source", migration.source_server},
          {"state", to_string(migration.state)},
          {"substate", to_string(migration.substate)},
          {"error", migration.error.substr(0, kMaxError)},
          {"databases", migration.databases},
          {"copiedBytes", migration.copied().count},
          {"percentDone", is_told ? Json(static_cast<int>(fraction_done(migration) * 100)) : Json()},
          {"startedOn", format_time(migration.started)},
          {"endedOn", format_time(migration.ended)}};
}

// The routes' own state, shared by the handlers.
class RestApi {
 public:
  RestApi(RestOptions options, const CancelToken& stopping, const Log& log)
      : options_(std::move(options)), stopping_(stopping), log_(log) {}

  HttpResponse create(const HttpRequest& request) {
    const std::string name = request.matches[0];
    const Migrations at(*this, request);
    const bool resume = flag_of(request, "resume");
    PropertiesContext context = options_.properties;
    context.target = at.target;
    const Request wanted = parse_properties(request.body, context);
    const Migration migration = resume ? resume_migration(at.store(), at.find(name), wanted)
                                       : migration::create(at.store(), name, at.target.value_or(""), {}, wanted);
    start_worker(at.store(), migration, request.body, options_.worker, stopping_);
    log_.info(fmt::format("migration {} {} by {}", name, resume ? "resumed" : "created", request.peer));
    return json_response(to_text(at.again(migration)), 201);
  }

  HttpResponse show(const HttpRequest& request) {
    const Migrations at(*this, request);
    return json_response(to_text(at.find(request.matches[0])));
  }

  HttpResponse list(const HttpRequest& request) {
    const Migrations at(*this, request);
    const std::string filter = request.parameter("migrationListFilter").value_or("Active");
    const bool all = ::strcasecmp(filter.c_str(), "All") == 0;
    if (!all && ::strcasecmp(filter.c_str(), "Active") != 0) {
      throw Error(ErrorKind::kUsage, "migrationListFilter: must be Active or All");
    }
    const bool is_summary = view_of(request) == View::kSummary;
    // In parts, and no more than this: each is kept until the client has taken it.
    constexpr std::size_t kMaxBytes = 512U << 10U;
    const std::size_t wanted = page_size_of(request);
    std::size_t count = 0;
    std::string last;
    std::string values;
    bool may_be_more = true;
    for (Page page{.size = kPart, .after = request.parameter("after").value_or("")};
         may_be_more && count < wanted && values.size() < kMaxBytes; page.after = last) {
      page.size = std::min(kPart, wanted - count);
      const std::vector<Migration> part = at.store().list(all ? Filter::kAll : Filter::kActive, at.target, page);
      may_be_more = part.size() == page.size;
      for (const Migration& migration : part) {
        values += count++ == 0 ? "" : ",";
        values += to_text(is_summary ? to_summary(migration) : to_document(migration));
        last = migration.id;
        if (values.size() >= kMaxBytes) {
          may_be_more = true;
          break;
        }
      }
    }
    const std::string next = may_be_more ? ",\"nextLink\":" + to_text(Json(next_link(request, last))) : "";
    return json_response(fmt::format("{{\"value\":[{}]{}}}", values, next));
  }

  HttpResponse update(const HttpRequest& request) {
    const Migrations at(*this, request);
    const Update wanted = update_of(request.body);
    const Migration migration = at.find(request.matches[0]);
    if (wanted.pace) {
      at.store().request_pace(migration, *wanted.pace);
      log_.info(fmt::format("migration {}: another pace requested by {}", migration.name, request.peer));
    } else {
      at.store().request_cancel(migration);
      log_.info(fmt::format("migration {}: cancel requested by {}", migration.name, request.peer));
    }
    return json_response(to_text(at.again(migration)), 202);
  }

  HttpResponse remove(const HttpRequest& request) {
    const Migrations at(*this, request);
    Migration migration = at.find(request.matches[0]);
    const bool was_active = migration.active();
    if (was_active) at.store().cancel_to_remove(migration);
    const auto end = std::chrono::steady_clock::now() + options_.delete_patience;
    while ((migration = at.again(migration)).active()) {
      if (std::chrono::steady_clock::now() >= end) {
        return json_response(to_text(migration), 202);  // it is being cancelled: to be asked again
      }
      if (wait_for({}, stopping_, kPeriod / 4) == WaitResult::kCancelled) {
        throw HttpError(503, "Stopping", "the server is being ended; the migration is being cancelled");
      }
    }
    // A client that got 202 asks again, and has not been told that the cancellation failed.
    const bool is_left = was_active || at.store().is_cancellation_left(migration);
    if (is_left && !flag_of(request, "force")) require_canceled(migration);
    at.store().remove(migration);
    log_.info(fmt::format("migration {} deleted by {}", migration.name, request.peer));
    return {.status = 204};
  }

  HttpResponse check_name(const HttpRequest& request) {
    const Migrations at(*this, request);
    std::string name;
    try {
      name = parse_json(request.body).at("name").get<std::string>();
    } catch (const Json::exception&) {
      throw Error(ErrorKind::kUsage, R"(the body must be {"name":"…"})");
    }
    return json_response(to_text(to_document(migration::check_name(at.store(), name, at.target.value_or("")))));
  }

  HttpResponse samples(const HttpRequest& request) {
    const Migrations at(*this, request);
    const Migration migration = at.find(request.matches[0]);
    return json_response(to_text(Json{{"value", samples_document(at.store().samples(migration.id))}}));
  }

  HttpResponse tables(const HttpRequest& request) {
    const Migrations at(*this, request);
    const Migration migration = at.find(request.matches[0]);
    return json_response(
        to_text(Json{{"value", tables_document(at.store().work_folder(migration.id), migration.databases)}}));
  }

  // Until the migration has come to its end, or the client is gone.
  HttpResponse events(const HttpRequest& request) {
    const Migrations at(*this, request);
    const Migration first = at.find(request.matches[0]);
    log_.debug(fmt::format("migration {} is followed by {}", first.id, request.peer));
    return {.content_type = "text/event-stream",
            .next = [store = std::make_shared<Store>(options_.store), id = first.id,
                     is_ended = false]() mutable -> std::optional<std::string> {
              if (is_ended) return std::nullopt;
              store->list(Filter::kActive, std::nullopt);  // finds out about workers that have died
              const std::optional<Migration> now = store->find_id(id);
              is_ended = !now || !now->active();
              if (!now) return std::nullopt;
              return fmt::format("data: {}\n\n", to_text(state_of(*store, *now)));
            },
            .period = kPeriod};
  }

 private:
  // A handler's own store, since a store belongs to a thread.
  struct Migrations {
    Migrations(const RestApi& api, const HttpRequest& request)
        : target(target_of(request)), store_(std::make_unique<Store>(api.options_.store)) {}

    Store& store() const { return *store_; }
    Migration find(const std::string& name) const {
      std::vector<Migration> found = store_->named(name, target);
      if (found.empty()) throw not_found(name);
      if (found.size() > 1) throw ambiguous_name(found);
      return std::move(found.front());
    }
    /// One that was found before, as it is now: other clients may have deleted it meanwhile, and given its name to
    /// another one.
    Migration again(const Migration& migration) const {
      std::optional<Migration> now = store_->refreshed(migration);
      if (!now) throw not_found(migration.name);
      return std::move(*now);
    }
    static HttpError not_found(const std::string& name) {
      return {404, "NotFound", fmt::format("there is no migration named {}", name)};
    }

    std::optional<std::string> target;

   private:
    std::unique_ptr<Store> store_;
  };

  const RestOptions options_;
  const CancelToken stopping_;
  const Log log_;
};

// Returns the migrations that metrics describe, without the parts that metrics do not use. Only the newest: thousands
// that ended within the hour would make megabytes of series.
std::vector<Migration> watched_migrations(Store& store) {
  constexpr std::size_t kMaxWatched = 100;
  std::vector<Migration> all;
  Page page{.size = kPart};
  while (true) {
    std::vector<Migration> part = store.list(Filter::kWatched, std::nullopt, page);
    for (Migration& migration : part) {
      migration.validation = {};
      migration.next_steps.clear();
      all.push_back(std::move(migration));
    }
    if (part.size() < page.size || all.size() >= kMaxWatched) return all;
    page.after = all.back().id;
  }
}

HttpResponse health(bool is_well) {
  return is_well ? HttpResponse{.body = "ok\n"}
                 : HttpResponse{.status = 503, .body = "no work has moved for a minute\n"};
}

HttpResponse metrics_response(const MetricsInput& input) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = to_metrics(input)};
}

}  // namespace

void add_worker_routes(HttpServer& server, WorkerView worker) {
  const auto probe = [worker](const HttpRequest&) { return health(worker.is_alive()); };
  server.add({"GET", "/healthz", Access::kOpen, probe, Route::Runs::kAtOnce});
  server.add({"GET", "/readyz", Access::kOpen, probe, Route::Runs::kAtOnce});
  server.add({"GET", "/metrics", Access::kRead, [&server, worker](const HttpRequest&) {
                return metrics_response({.watched = {worker.migration()}, .http = server.statistics()});
              }});
  server.add({"GET", "/status", Access::kRead,
              [worker](const HttpRequest&) { return json_response(to_text(worker.migration())); }});
}

void add_rest_routes(HttpServer& server, RestOptions options, const Log& log) {
  const std::filesystem::path store = options.store;
  const auto api = std::make_shared<RestApi>(std::move(options), server.stopping(), log);
  const auto add = [&](const char* method, const char* pattern, Access access,
                       HttpResponse (RestApi::*handler)(const HttpRequest&), std::vector<std::string> parameters,
                       Route::Runs runs = Route::Runs::kOnAThread) {
    server.add({method, pattern, access,
                [api, handler, parameters = std::move(parameters)](const HttpRequest& request) {
                  require_known_parameters(request, parameters);
                  return ((*api).*handler)(request);
                },
                runs});
  };
  // These two wait for a worker to come up or to end.
  add("PUT", "/migrations/{}", Access::kChange, &RestApi::create, {"target", "resume"}, Route::Runs::kWaiting);
  add("DELETE", "/migrations/{}", Access::kChange, &RestApi::remove, {"target", "force"}, Route::Runs::kWaiting);
  add("GET", "/migrations/{}", Access::kRead, &RestApi::show, {"target"});
  add("PATCH", "/migrations/{}", Access::kChange, &RestApi::update, {"target"});
  add("GET", "/migrations", Access::kRead, &RestApi::list, {"target", "migrationListFilter", "view", "limit", "after"});
  add("GET", "/migrations/{}/samples", Access::kRead, &RestApi::samples, {"target"});
  add("GET", "/migrations/{}/tables", Access::kRead, &RestApi::tables, {"target"});
  add("GET", "/migrations/{}/events", Access::kRead, &RestApi::events, {"target"});
  add("POST", "/checkMigrationNameAvailability", Access::kRead, &RestApi::check_name, {"target"});
  server.add({"GET", "/metrics", Access::kRead, [&server, store](const HttpRequest& request) {
                require_known_parameters(request, {});
                Store opened(store);
                return metrics_response({.watched = watched_migrations(opened),
                                         .stored = opened.count_by_state(),
                                         .http = server.statistics()});
              }});
  server.add({"GET", "/healthz", Access::kOpen, [&server](const HttpRequest&) { return health(server.is_moving()); },
              Route::Runs::kAtOnce});
  server.add({"GET", "/readyz", Access::kOpen, [store](const HttpRequest&) {
                Store(store).count_by_state();
                return HttpResponse{.body = "ok\n"};
              }});
  for (const PageFile& file : page_files()) {
    server.add({"GET", file.path, Access::kOpen,
                [file](const HttpRequest&) {
                  return HttpResponse{.content_type = file.type, .body = std::string(file.content)};
                },
                Route::Runs::kAtOnce});
  }
}

}  // namespace pgsluice::migration
