#include "log/follow/journal_watch.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

namespace mailward {
namespace {

namespace fs = std::filesystem;

// libuv wants its handles back by a callback, after their owner has gone.
template <class Handle>
void give_back(Handle*& handle) {
  if (handle == nullptr) return;
  handle->data = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(handle, nullptr)),
           [](uv_handle_t* h) { delete reinterpret_cast<Handle*>(h); });
}

bool is_folder(const std::string& path) {
  struct stat s{};
  return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

}  // namespace

struct JournalWatch::Folder {
  JournalWatch* watch = nullptr;
  std::string name;     // its own, without the folder that it is in
  std::string awaited;  // a folder that is to come in it; empty: its files are what counts
  uv_fs_event_t* events = nullptr;
};

JournalWatch::JournalWatch(uv_loop_t* loop, std::string where, Watch::Options options, Told told, JournalPlaces places)
    : loop_(loop),
      where_(std::move(where)),
      options_(options),
      told_(std::move(told)),
      places_(std::move(places)),
      after_events_(new uv_check_t) {
  // Runs behind the events of each round, so that many of them are told as one.
  uv_check_init(loop_, after_events_);
  after_events_->data = this;
  uv_check_start(after_events_, [](uv_check_t* h) { static_cast<JournalWatch*>(h->data)->tell(); });
  uv_unref(reinterpret_cast<uv_handle_t*>(after_events_));
  start();
}

JournalWatch::~JournalWatch() {
  give_back(after_events_);
  stop();
}

void JournalWatch::stop() {
  for (const auto& folder : folders_) give_back(folder->events);
  folders_.clear();
  give_back(timer_);
}

// Of a folder that isn't there, the nearest one above it that is: it tells when the next one comes.
void JournalWatch::start() {
  bool good = !options_.poll_only, again = true;
  while (good && again) {
    stop();
    again = false;
    for (const JournalFolder& wanted : journal_folders(where_, places_)) {
      fs::path path = wanted.path;
      std::string awaited;
      while (!is_folder(path.string()) && path.has_parent_path() && path != path.parent_path()) {
        awaited = path.filename().string();
        path = path.parent_path();
      }
      good = good && start_events(path.empty() ? "." : path.string(), awaited);
      again = again || (!awaited.empty() && is_folder((path / awaited).string()));  // it came meanwhile
    }
  }
  if (good) return;
  stop();
  timer_ = new uv_timer_t;
  uv_timer_init(loop_, timer_);
  timer_->data = this;
  const auto every = static_cast<uint64_t>(options_.poll.count());
  uv_timer_start(
      timer_,
      [](uv_timer_t* t) {
        if (t->data != nullptr) static_cast<JournalWatch*>(t->data)->look();
      },
      every, every);
  look();
  grew_ = changed_ = false;
}

bool JournalWatch::start_events(const std::string& path, std::string awaited) {
  if (!folder_has_events(path)) return false;
  auto folder = std::make_unique<Folder>();
  folder->watch = this;
  folder->name = fs::path(path).filename().string();
  folder->awaited = std::move(awaited);
  folder->events = new uv_fs_event_t;
  uv_fs_event_init(loop_, folder->events);
  folder->events->data = folder.get();
  const auto seen = [](uv_fs_event_t* h, const char* name, int events, int status) {
    if (h->data == nullptr) return;
    const auto& f = *static_cast<Folder*>(h->data);
    f.watch->note(f, status < 0 ? nullptr : name, (events & UV_RENAME) != 0);
  };
  const bool good = uv_fs_event_start(folder->events, seen, path.c_str(), 0) == 0;
  folders_.push_back(std::move(folder));
  return good;
}

// Without a name it may be any of them. Its own name stands for its own end or move.
void JournalWatch::note(const Folder& folder, const char* name, bool changed) {
  const std::string_view which = name == nullptr ? "" : name;
  if (!folder.awaited.empty() && which != folder.awaited && which != folder.name && name != nullptr) return;
  if (folder.awaited.empty() && is_journal_file_name(which)) {
    (changed ? changed_ : grew_) = true;
  } else if (changed || name == nullptr) {
    if (name != nullptr && folder.awaited.empty() && which != folder.name && !is_machine_id(which)) return;
    changed_ = restart_ = true;
  }
}

// What a look finds, where nothing tells.
void JournalWatch::look() {
  std::string names, sizes;
  for (const JournalFolder& folder : journal_folders(where_, places_)) {
    std::error_code none;
    for (fs::directory_iterator at(folder.path, none), end; !none && at != end; at.increment(none)) {
      struct stat s{};
      const std::string path = at->path().string();
      if (!is_journal_file_name(path) || ::stat(path.c_str(), &s) != 0) continue;
      names += fmt::format("{} {}\n", path, s.st_ino);
      sizes += fmt::format("{} {} {}\n", s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    }
  }
  changed_ |= std::exchange(names_, names) != names;
  grew_ |= std::exchange(sizes_, sizes) != sizes;
}

void JournalWatch::tell() {
  if (std::exchange(restart_, false)) start();
  if (std::exchange(changed_, false)) told_(Watch::What::kChanged);
  if (std::exchange(grew_, false)) told_(Watch::What::kGrew);
}

}  // namespace mailward
