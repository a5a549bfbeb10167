#include "daemon/protocol.h"

#include <utility>

namespace mailward {
namespace {

constexpr uint64_t kUnknownUser = 1, kApart = 2, kMild = 4;

}  // namespace

void write_series(const Series& series, Encoder& out, std::vector<int>& files) {
  out.number(series.answers);
  out.number(series.settled);
  out.number(series.bounded);
  out.number(series.members.size());
  for (const Member& m : series.members) {
    out.text(m.name);
    out.number(m.dated);
    out.number(m.rank);
    files.push_back(m.file.get());
  }
  out.number(series.trouble.size());
  for (const std::string& sentence : series.trouble) out.text(sentence);
}

bool read_series(Decoder& in, std::vector<Descriptor>& files, Series& series) {
  series.answers = in.number();
  series.settled = in.number(1) == 1;
  series.bounded = in.number(1) == 1;
  const uint64_t members = in.count();
  if (members != files.size()) return false;
  for (uint64_t i = 0; i < members && in.good(); ++i) {
    Member& m = series.members.emplace_back();
    m.file = std::move(files[i]);
    m.name = in.text();
    m.dated = in.number(1) == 1;
    m.rank = in.number();
  }
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) series.trouble.emplace_back(in.text());
  return in.finished();
}

void write_journal_files(const JournalFiles& journal, Encoder& out, std::vector<int>& files) {
  out.number(journal.answers);
  out.number(journal.settled);
  out.number(journal.complete);
  out.number(journal.files.size());
  for (const JournalFile& f : journal.files) {
    out.text(f.name);
    out.number(f.device);
    out.number(f.inode);
    files.push_back(f.file.get());
  }
  out.number(journal.trouble.size());
  for (const std::string& sentence : journal.trouble) out.text(sentence);
}

bool read_journal_files(Decoder& in, std::vector<Descriptor>& files, JournalFiles& journal) {
  journal.answers = in.number();
  journal.settled = in.number(1) == 1;
  journal.complete = in.number(1) == 1;
  const uint64_t number = in.count();
  if (number != files.size()) return false;
  for (uint64_t i = 0; i < number && in.good(); ++i) {
    JournalFile& f = journal.files.emplace_back();
    f.file = std::move(files[i]);
    f.name = in.text();
    f.device = in.number();
    f.inode = in.number();
  }
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) journal.trouble.emplace_back(in.text());
  return in.finished();
}

void write_event(const Event& e, Encoder& out) {
  out.number(static_cast<uint64_t>(e.kind));
  out.time(e.time);
  out.address(e.address);
  out.number((e.unknown_user ? kUnknownUser : 0U) | (e.apart ? kApart : 0U) | (e.mild ? kMild : 0U));
  out.number(e.helper);
  out.number(e.count);
  out.number(e.file);
  out.number(e.line);
  out.text(e.user());
  if (e.mild) {  // by these the judge knows one that comes again
    out.text(e.fact(Fact::kSender));
    out.text(e.fact(Fact::kRecipient));
  }
  out.text(severity_of(e.kind) == Severity::kNeutral ? std::string_view() : e.raw);
}

Event read_event(Decoder& in) {
  Event e;
  e.kind = static_cast<EventKind>(in.number(kEventKinds - 1));
  e.time = in.time();
  e.address = in.address();
  const uint64_t flags = in.number(kUnknownUser | kApart | kMild);
  e.unknown_user = (flags & kUnknownUser) != 0;
  e.apart = (flags & kApart) != 0;
  e.mild = (flags & kMild) != 0;
  e.helper = static_cast<uint8_t>(in.number(31)) & 31U;
  e.count = static_cast<uint32_t>(in.number(UINT32_MAX));
  e.file = static_cast<uint32_t>(in.number(UINT32_MAX));
  e.line = in.number();
  e.facts[static_cast<size_t>(Fact::kUser)] = in.text();
  if (e.mild) {
    e.facts[static_cast<size_t>(Fact::kSender)] = in.text();
    e.facts[static_cast<size_t>(Fact::kRecipient)] = in.text();
  }
  e.raw = in.text();
  return e;
}

void write_mark(const MarkOfInput& m, Encoder& out) {
  out.text(m.position);
  out.text(m.state);
  out.number(m.line);
  out.number(m.offset);
  out.time(m.reached);
  out.number(m.lines);
  out.number(m.not_understood);
  out.number(m.lost);
  out.text(m.trouble);
  out.number(m.examples.size());
  for (const std::string& line : m.examples) out.text(line);
}

MarkOfInput read_mark(Decoder& in) {
  MarkOfInput m;
  m.position = in.text();
  m.state = in.text();
  m.line = in.number();
  m.offset = in.number();
  m.reached = in.time();
  m.lines = in.number();
  m.not_understood = in.number();
  m.lost = in.number();
  m.trouble = in.text();
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) m.examples.emplace_back(in.text());
  return m;
}

void write_health(const FirewallHealth& h, Encoder& out) {
  out.text(h.trouble);
  out.number(h.held);
  out.number(h.waiting);
}

FirewallHealth read_health(Decoder& in) {
  FirewallHealth h;
  h.trouble = in.text();
  h.held = in.number();
  h.waiting = in.number();
  return h;
}

Network read_network(Decoder& in) {
  const Address a = in.address();
  const int prefix = static_cast<int>(in.number(a.is_v4() ? 32 : 128));
  const Network n = network_of(a, prefix, prefix);
  if (n.address != a) in.fault();
  return n;
}

}  // namespace mailward
