#include "log/journal_fault.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace mailward {
namespace {

volatile sig_atomic_t g_reading = 0, g_faulted = 0;
uintptr_t g_page = 0;

// Only async-signal-safe calls. A page of zeros is put where the file's was: the read that failed is done again.
void on_fault(int signal, siginfo_t* info, void*) {
  if (g_reading != 0 && info->si_code == BUS_ADRERR) {
    auto* page = static_cast<char*>(info->si_addr);
    page -= reinterpret_cast<uintptr_t>(page) % g_page;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    g_faulted = 1;
    if (::mmap(page, g_page, PROT_READ, flags, -1, 0) != MAP_FAILED) return;
  }
  struct sigaction otherwise{};
  otherwise.sa_handler = SIG_DFL;
  ::sigaction(signal, &otherwise, nullptr);  // and the fault comes again
}

void take_over() {
  static bool done = false;
  if (done) return;
  done = true;
  g_page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction ours{};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&ours.sa_mask);
  ::sigaction(SIGBUS, &ours, nullptr);
}

}  // namespace

MappedReading::MappedReading() {
  take_over();
  g_faulted = 0;
  g_reading = 1;
}

MappedReading::~MappedReading() { g_reading = 0; }

bool MappedReading::faulted() const { return g_faulted != 0; }

}  // namespace mailward
