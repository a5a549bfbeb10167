// The control socket: who may connect (the file's mode) sends a line and gets a line, `VERB [ARGUMENT…]` against one
// JSON document (docs/control-socket.md). Lines, connections and their time are bounded. One thread, the loop's.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace mailward {

class Control {
 public:
  static constexpr size_t kLongestLine = 4096;
  static constexpr size_t kMostClients = 32;

  // Makes the socket, for who has the right to: mode 0660, an abandoned one is replaced. The error says what to do.
  static Result<Descriptor> listen(const std::string& path);

  class Client;
  // Answers once, now or later: no longer than the client is there, which reply() knows.
  class Reply {
   public:
    explicit Reply(std::weak_ptr<Client> client) : client_(std::move(client)) {}
    // A whole JSON document on one line.
    void operator()(std::string_view json) const;

   private:
    std::weak_ptr<Client> client_;
  };
  // `may_change`: it is root, or who runs this daemon.
  using Take = std::function<void(std::string_view line, bool may_change, const Reply& reply)>;

  Control(uv_loop_t* loop, Descriptor listening, Take take);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

 private:
  friend class Client;
  void accept();

  uv_loop_t* loop_;
  uv_pipe_t* listening_;
  Take take_;
  std::vector<std::shared_ptr<Client>> clients_;
};

// Of a connected unix socket: its user. Nothing: the system doesn't tell.
bool peer_user(int descriptor, unsigned& user);

}  // namespace mailward
