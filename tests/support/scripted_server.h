#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "pgsluice/cancel.h"

namespace pgsluice::test {

/// Messages as a server sends them.
std::string message(char type, std::string_view body);
std::string ready(char status = 'I');
std::string complete(std::string_view tag);
std::string server_error(std::string_view severity, std::string_view sqlstate, std::string_view text);
std::string notice(std::string_view text);
std::string parameter(std::string_view name, std::string_view value);
std::string copy_out_response();
std::string copy_in_response();
std::string copy_data(std::string_view row);

/// A server that says what a test wants it to say, which no live one would. It lets any client in; then the script
/// runs, on a thread of its own for each session. Cancel requests are counted, and nothing more.
class ScriptedServer {
 public:
  /// The server's end of a session. All calls end early when the server is being ended.
  class Session {
   public:
    Session(FileDescriptor socket, CancelToken stop) : socket_(std::move(socket)), stop_(std::move(stop)) {}
    /// The next message's type and body; nothing when the client has closed.
    std::optional<std::pair<char, std::string>> read();
    /// Until there is something to read.
    void await_client() const;
    void write(std::string_view bytes);
    /// Reads so many bytes, whatever they are; false when the client closes before.
    bool discard(std::size_t count);
    /// Until the client closes, or the server is ended; reads nothing.
    void stay_silent();

   private:
    friend class ScriptedServer;
    std::optional<std::string> read_exactly(std::size_t count);
    FileDescriptor socket_;
    CancelToken stop_;
  };

  explicit ScriptedServer(std::function<void(Session&)> script);
  ~ScriptedServer();

  std::string conninfo() const;
  int cancel_requests() const { return cancel_requests_; }

 private:
  void serve(FileDescriptor socket);

  std::function<void(Session&)> script_;
  FileDescriptor listener_;
  CancelSource stop_;
  std::atomic<int> cancel_requests_{0};
  std::vector<std::jthread> sessions_;
  std::jthread acceptor_;
};

}  // namespace pgsluice::test
