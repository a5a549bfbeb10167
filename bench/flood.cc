// Writes input that is hostile by its size: a few bytes of pattern, as often as is asked for.
//
//   flood sessions N     N sessions of OpenSMTPD that begin and never end, each with an id of its own
//   flood addresses N    N addresses, one refused login each
//   flood users N        one address, N refused logins, twenty a session, each under a name of its own
//   flood pids N         N connections to Postfix's smtpd that never end, each in a process of its own
//   flood line N         one line of N bytes, without its end
//   flood lines N        N empty lines
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

class Out {
 public:
  ~Out() { flush(); }

  void put(std::string_view text) {
    if (used_ + text.size() > sizeof buffer_) flush();
    if (text.size() > sizeof buffer_) {
      write(text.data(), text.size());
      return;
    }
    std::memcpy(buffer_ + used_, text.data(), text.size());
    used_ += text.size();
  }

 private:
  void flush() {
    write(buffer_, used_);
    used_ = 0;
  }
  static void write(const char* data, size_t size) {
    if (std::fwrite(data, 1, size, stdout) != size) std::exit(1);  // the reader went away
  }

  char buffer_[1 << 16];
  size_t used_ = 0;
};

// Times move on by one second every 100 lines or so: ten million lines are a day.
std::string stamp(uint64_t n) {
  const uint64_t second = n / 120;
  char text[32];
  std::snprintf(text, sizeof text, "2026-03-%02uT%02u:%02u:%02uZ", static_cast<unsigned>(1 + second / 86400 % 28),
                static_cast<unsigned>(second / 3600 % 24), static_cast<unsigned>(second / 60 % 60),
                static_cast<unsigned>(second % 60));
  return text;
}

std::string address(uint64_t n) {  // 100.64.0.0 and on: as many as are asked for
  const uint64_t value = 0x64400000ULL + n % 0x60000000ULL;
  char text[20];
  std::snprintf(text, sizeof text, "%u.%u.%u.%u", static_cast<unsigned>(value >> 24 & 255),
                static_cast<unsigned>(value >> 16 & 255), static_cast<unsigned>(value >> 8 & 255),
                static_cast<unsigned>(value & 255));
  return text;
}

std::string id(uint64_t n) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(n * 0x9e3779b97f4a7c15ULL));
  return text;
}

std::string opensmtpd(uint64_t n) { return stamp(n) + " mail smtpd[60467]: " + id(n) + " smtp "; }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: flood sessions|addresses|users|pids|line|lines N\n", stderr);
    return 2;
  }
  const std::string_view what = argv[1];
  const uint64_t count = std::strtoull(argv[2], nullptr, 10);
  Out out;
  if (what == "line") {
    const std::string piece(1 << 16, 'x');
    for (uint64_t left = count; left > 0;) {
      const uint64_t now = left < piece.size() ? left : piece.size();
      out.put(std::string_view(piece).substr(0, now));
      left -= now;
    }
    return 0;
  }
  for (uint64_t n = 0; n < count; ++n) {
    if (what == "sessions") {
      out.put(opensmtpd(n) + "connected address=" + address(n % 1000) + " host=<unknown>\n");
    } else if (what == "addresses") {
      out.put(opensmtpd(n) + "connected address=" + address(n) + " host=<unknown>\n");
      out.put(opensmtpd(n) + "authentication user=info@elsewhere.example result=permfail\n");
      out.put(opensmtpd(n) + "disconnected reason=quit\n");
    } else if (what == "users") {
      const std::string session = stamp(n) + " mail smtpd[60467]: " + id(n / 20) + " smtp ";
      if (n % 20 == 0) out.put(session + "connected address=192.0.2.7 host=<unknown>\n");
      out.put(session + "authentication user=name" + std::to_string(n) + " result=permfail\n");
      if (n % 20 == 19) out.put(session + "disconnected reason=quit\n");
    } else if (what == "pids") {
      out.put(stamp(n) + " mail postfix/smtpd[" + std::to_string(n + 1) + "]: connect from unknown[" +
              address(n % 1000) + "]\n");
    } else if (what == "lines") {
      out.put("\n");
    } else {
      std::fprintf(stderr, "flood: unknown: %s\n", argv[1]);
      return 2;
    }
  }
  return 0;
}
