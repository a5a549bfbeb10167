// seccomp(2) by libseccomp: which system calls are left (within this station). What isn't allowed fails with EPERM
// rather than killing the process: another libc may make a call that we have not met, and can do without.
#pragma once

#include <seccomp.h>

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/result.h"

namespace mailward {

class CallFilter {
 public:
  enum class Others : uint8_t { kRefused, kAllowed };  // calls that are not named
  explicit CallFilter(Others others);

  // Only where all conditions hold; a call with several such rules is allowed where one of them does.
  template <class... Conditions>
  void allow(const char* name, Conditions... conditions) {
    add(SCMP_ACT_ALLOW, name, conditions...);
  }
  void allow_all(std::initializer_list<const char*> names) {
    for (const char* name : names) allow(name);
  }
  void refuse_all(std::initializer_list<const char*> names);
  // As if the kernel didn't have it: its caller then tries another.
  void deny_existence(const char* name);

  // In force for all threads. `required`: a kernel without seccomp is an error.
  Result<std::string> load(bool required);

 private:
  struct Release {
    void operator()(void* context) const { seccomp_release(context); }
  };
  template <class... Conditions>
  void add(uint32_t action, const char* name, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return;  // another architecture's
    const int code = seccomp_rule_add(context_.get(), action, number, sizeof...(conditions), conditions...);
    if (code != 0 && code != -EDOM && code != -EFAULT) good_ = false;
  }

  std::unique_ptr<void, Release> context_;
  bool good_ = true;
};

// Groups of calls, named for what they are for.
void allow_computing(CallFilter& filter);  // open descriptors, memory, the clock, its own end
void allow_threads(CallFilter& filter);
void allow_messages(CallFilter& filter);  // over sockets that are connected
void allow_looking(CallFilter& filter);   // listing folders, asking what a file is like
void allow_opening_to_read(CallFilter& filter);
void allow_database(CallFilter& filter);  // SQLite's files; where they are, Landlock says
void allow_netlink(CallFilter& filter, bool nftables);
void allow_connections(CallFilter& filter);  // TCP and UDP
void allow_readers(CallFilter& filter);      // to start them
void refuse_what_no_command_needs(CallFilter& filter);

}  // namespace mailward
