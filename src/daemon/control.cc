#include "daemon/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mailward {
namespace {

constexpr uint64_t kIdle = 60'000;  // ms without a line, then the connection is closed

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(fmt::format("{}: a socket's path has {} characters at most", path, sizeof address.sun_path - 1));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<Descriptor> Control::listen(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const auto* where = reinterpret_cast<const sockaddr*>(&*address);
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode)) {
    // The ledger's lock says that no other daemon has it: it was left behind.
    ::unlink(path.c_str());
  }
  const mode_t before = ::umask(0117);
  const int bound = ::bind(socket.get(), where, sizeof *address);
  const int error = errno;
  ::umask(before);
  if (bound != 0)
    return fail(fmt::format("{}: the control socket can't be made: {}; does its folder exist, and may you write to it?",
                            path, std::strerror(error)));
  if (::listen(socket.get(), 16) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  return socket;
}

class Control::Client : public std::enable_shared_from_this<Client> {
 public:
  explicit Client(Control& owner) : owner_(&owner), pipe_(new uv_pipe_t), timer_(new uv_timer_t) {
    uv_pipe_init(owner.loop_, pipe_, 0);
    uv_timer_init(owner.loop_, timer_);
    pipe_->data = timer_->data = this;
  }
  ~Client() { close(); }

  bool begin(uv_stream_t* listening) {
    if (uv_accept(listening, stream()) != 0) return false;
    uv_os_fd_t fd = -1;
    unsigned user = 0;
    if (uv_fileno(reinterpret_cast<uv_handle_t*>(pipe_), &fd) == 0 && peer_user(fd, user))
      may_change_ = user == 0 || user == ::geteuid() || user == ::getuid();
    uv_read_start(
        stream(),
        [](uv_handle_t* h, size_t, uv_buf_t* buffer) {
          auto* self = static_cast<Client*>(h->data);
          *buffer = uv_buf_init(self->block_, sizeof self->block_);
        },
        [](uv_stream_t* s, ssize_t n, const uv_buf_t*) { static_cast<Client*>(s->data)->read(n); });
    wait();
    return true;
  }

  void reply(std::string_view json) {
    if (!pipe_) return;
    struct Write {
      uv_write_t request;
      std::string text;
    };
    auto* write = new Write{{}, std::string(json) + '\n'};
    write->request.data = write;
    uv_buf_t buffer = uv_buf_init(write->text.data(), static_cast<unsigned>(write->text.size()));
    const int failed = uv_write(&write->request, stream(), &buffer, 1,
                                [](uv_write_t* r, int) { delete static_cast<Write*>(r->data); });
    if (failed != 0) delete write;
    answered_ = true;
    wait();
    next();
  }

 private:
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(pipe_); }

  void wait() {
    uv_timer_start(timer_, [](uv_timer_t* t) { static_cast<Client*>(t->data)->leave(); }, kIdle, 0);
  }

  void read(ssize_t n) {
    if (n < 0) return leave();
    line_.append(block_, static_cast<size_t>(n));
    if (line_.size() > kLongestLine) {
      line_.clear();  // what is refused is not obeyed
      reply(R"({"error":"the line is too long"})");
      return leave();
    }
    next();
  }

  // One line at a time: the next is taken when this one has its answer.
  void next() {
    const auto self = shared_from_this();
    while (pipe_ && answered_) {
      const size_t end = line_.find('\n');
      if (end == std::string::npos) return;
      std::string line = line_.substr(0, end);
      line_.erase(0, end + 1);
      if (line.ends_with('\r')) line.pop_back();
      answered_ = false;
      owner_->take_(line, may_change_, Reply(weak_from_this()));
    }
  }

  void leave() {
    const auto self = shared_from_this();
    close();
    std::erase(owner_->clients_, self);
  }

  void close() {
    if (!pipe_) return;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(pipe_, nullptr)),
             [](uv_handle_t* h) { delete reinterpret_cast<uv_pipe_t*>(h); });
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(timer_, nullptr)),
             [](uv_handle_t* h) { delete reinterpret_cast<uv_timer_t*>(h); });
  }

  Control* owner_;
  uv_pipe_t* pipe_;
  uv_timer_t* timer_;
  bool may_change_ = false, answered_ = true;
  char block_[kLongestLine];
  std::string line_;
};

void Control::Reply::operator()(std::string_view json) const {
  if (const auto client = client_.lock()) client->reply(json);
}

Control::Control(uv_loop_t* loop, Descriptor listening, Take take)
    : loop_(loop), listening_(new uv_pipe_t), take_(std::move(take)) {
  uv_pipe_init(loop_, listening_, 0);
  listening_->data = this;
  uv_pipe_open(listening_, listening.release());
  uv_listen(reinterpret_cast<uv_stream_t*>(listening_), 16, [](uv_stream_t* s, int status) {
    if (status == 0) static_cast<Control*>(s->data)->accept();
  });
}

Control::~Control() {
  clients_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(listening_), [](uv_handle_t* h) { delete reinterpret_cast<uv_pipe_t*>(h); });
}

void Control::accept() {
  const auto client = std::make_shared<Client>(*this);
  if (!client->begin(reinterpret_cast<uv_stream_t*>(listening_))) return;
  if (clients_.size() >= kMostClients) return client->reply(R"({"error":"too many are asking at once; try again"})");
  clients_.push_back(client);
}

}  // namespace mailward
