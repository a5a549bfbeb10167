#include "log/follow/watch.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "log/log_set.h"

namespace mailward {
namespace {

// libuv wants its handles back by a callback, after their owner has gone.
template <class Handle>
void give_back(Handle*& handle) {
  if (handle == nullptr) return;
  handle->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(handle, nullptr)),
           [](uv_handle_t* h) { delete reinterpret_cast<Handle*>(h); });
}

bool belongs_to(std::string_view name, const std::string& live) {
  return name == live || parse_rotated_name(name).stem == live;
}

}  // namespace

struct Watch::Input {
  Watch* watch = nullptr;
  Folder* folder = nullptr;
  std::string path, name;
  bool grew = false, changed = false;  // to be told
  uv_fs_poll_t* poll = nullptr;
};

struct Watch::Folder {
  Watch* watch = nullptr;
  std::string path, name;
  uv_fs_event_t* events = nullptr;
  uv_fs_poll_t* poll = nullptr;
};

Watch::Watch(uv_loop_t* loop, const std::vector<std::string>& files, Options options, Told told)
    : loop_(loop), options_(options), told_(std::move(told)) {
  for (const std::string& path : files) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
    auto known = std::find_if(folders_.begin(), folders_.end(), [&](const auto& f) { return f->path == folder; });
    if (known == folders_.end()) {
      auto made = std::make_unique<Folder>();
      made->watch = this;
      made->path = folder;
      made->name = folder.substr(folder.rfind('/') + 1);
      known = folders_.insert(folders_.end(), std::move(made));
    }
    auto input = std::make_unique<Input>();
    input->watch = this;
    input->folder = known->get();
    input->path = path;
    input->name = slash == std::string::npos ? path : path.substr(slash + 1);
    inputs_.push_back(std::move(input));
  }
  // Runs behind the events of each round, so that many of them are told as one.
  after_events_ = new uv_check_t;
  uv_check_init(loop_, after_events_);
  after_events_->data = this;
  uv_check_start(after_events_, [](uv_check_t* h) { static_cast<Watch*>(h->data)->tell(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(after_events_));
  for (const auto& folder : folders_) start(*folder);
}

Watch::~Watch() {
  give_back(after_events_);
  for (const auto& folder : folders_) {
    give_back(folder->events);
    stop_polling(*folder);
  }
}

bool Watch::polls(size_t input) const { return inputs_[input]->poll != nullptr; }

// By events if that is possible now.
void Watch::start(Folder& folder) {
  give_back(folder.events);
  if (!options_.poll_only && folder_has_events(folder.path)) {
    folder.events = new uv_fs_event_t;
    uv_fs_event_init(loop_, folder.events);
    folder.events->data = &folder;
    const auto seen = [](uv_fs_event_t* h, const char* name, int events, int status) {
      if (h->data == nullptr) return;
      auto& f = *static_cast<Folder*>(h->data);
      f.watch->note(f, status < 0 ? nullptr : name, (events & UV_RENAME) != 0);
    };
    if (uv_fs_event_start(folder.events, seen, folder.path.c_str(), 0) == 0) return stop_polling(folder);
    give_back(folder.events);
  }
  start_polling(folder);
}

void Watch::start_polling(Folder& folder) {
  if (folder.poll != nullptr) return;
  const auto every = static_cast<unsigned>(options_.poll.count());
  folder.poll = new uv_fs_poll_t;
  uv_fs_poll_init(loop_, folder.poll);
  folder.poll->data = &folder;
  const auto folder_changed = [](uv_fs_poll_t* h, int status, const uv_stat_t*, const uv_stat_t*) {
    if (h->data == nullptr) return;
    auto& f = *static_cast<Folder*>(h->data);
    f.watch->note(f, nullptr, true);
    if (status == 0) f.watch->start(f);
  };
  uv_fs_poll_start(folder.poll, folder_changed, folder.path.c_str(), every);
  for (const auto& input : inputs_) {
    if (input->folder != &folder) continue;
    input->poll = new uv_fs_poll_t;
    uv_fs_poll_init(loop_, input->poll);
    input->poll->data = input.get();
    const auto file_changed = [](uv_fs_poll_t* h, int status, const uv_stat_t* before, const uv_stat_t* now) {
      if (h->data == nullptr) return;
      auto& i = *static_cast<Input*>(h->data);
      (status < 0 || before->st_ino != now->st_ino ? i.changed : i.grew) = true;
    };
    uv_fs_poll_start(input->poll, file_changed, input->path.c_str(), every);
  }
}

void Watch::stop_polling(Folder& folder) {
  give_back(folder.poll);
  for (const auto& input : inputs_) {
    if (input->folder == &folder) give_back(input->poll);
  }
}

// Without a name it may be any of them. The folder's own name stands for its own end or move (or for a file that is
// called the same: then once too often).
void Watch::note(Folder& folder, const char* name, bool changed) {
  const bool whole = name == nullptr || (changed && name == folder.name);
  for (const auto& input : inputs_) {
    if (input->folder != &folder || (!whole && !belongs_to(name, input->name))) continue;
    (whole || changed ? input->changed : input->grew) = true;
  }
  if (name != nullptr && whole) start(folder);
}

void Watch::tell() {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (std::exchange(inputs_[i]->changed, false)) told_(i, What::kChanged);
    if (std::exchange(inputs_[i]->grew, false)) told_(i, What::kGrew);
  }
}

}  // namespace mailward
