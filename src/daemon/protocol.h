// What the daemon's processes say to each other: the kinds of Channel's messages, and what stands in them. Numbers
// in base 128, texts with their length (base/encoding.h). A message that isn't whole ends the process that sent it.
// docs/reliability.md tells who says what when.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/encoding.h"
#include "base/event.h"
#include "log/follow/journal_files.h"
#include "log/follow/series.h"

namespace mailward {

enum class Say : uint8_t {
  // reader to helper
  kAsk,  // input, answers: its files
  // helper to reader
  kSeries,    // input, its files (write_series(), write_journal_files()), with their descriptors
  kNoSeries,  // input: its files can't be listed for now
  kGrew,      // input
  // keeper to reader
  kBegin,  // for each input: position, state
  // reader to keeper
  kEvents,    // write_event() each
  kMark,      // all inputs: MarkOfInput. What came before it may be stored with it
  kLoss,      // input, reason, file
  kCaughtUp,  // all there was has been read, and marked
  kEnd,       // after its last mark
  // keeper to helper
  kDesire,         // network, until, forced, reason: keep it out
  kRelease,        // network: let it in
  kAllDesired,     // kDesire told all that the ledger has: put in what is missing
  kTakeOutStrays,  // the present is reached: what the firewall holds and nobody desires goes
  kOurs,           // of the strays that were asked about: these are ours to take out
  // helper to keeper
  kFirewall,      // FirewallHealth
  kRefused,       // network, reason: it can't be kept out
  kStrays,        // networks that a shared table holds: whose are they?
  kSettled,       // so many kDesire and kRelease were heard, and nothing is left to be done in the firewall
  kInputTrouble,  // input, sentence; empty: none
  // keeper to supervisor
  kReady,     // the ledger is open; also the answer to kAskReady
  kReload,    // somebody asks for it
  kWarn,      // a sentence for syslog
  kFinished,  // well, for good (nothing is to be started anew), sentence: the last word
  // supervisor to keeper, which passes kStop on to the reader
  kStop,          // end behind a line: mark, and go
  kReloadAnswer,  // done, sentence
  kAskReady,      // the watchdog's question
};

struct MarkOfInput {
  std::string position, state;
  uint64_t line = 0, offset = 0;  // in the file that is read, for people
  Instant reached = kNoInstant;
  uint64_t lines = 0, not_understood = 0, lost = 0;  // since it began
  std::string trouble;
  std::vector<std::string> examples;  // lines that nobody understood
};

struct FirewallHealth {
  std::string trouble;   // empty: all is well
  uint64_t held = 0;     // bans in force, as far as is known
  uint64_t waiting = 0;  // to be put in or taken out
};

// Of kSeries, behind the input's number. Descriptors come in order. False: not whole.
void write_series(const Series& series, Encoder& out, std::vector<int>& files);
bool read_series(Decoder& in, std::vector<Descriptor>& files, Series& series);
void write_journal_files(const JournalFiles& journal, Encoder& out, std::vector<int>& files);
bool read_journal_files(Decoder& in, std::vector<Descriptor>& files, JournalFiles& journal);

void write_event(const Event& event, Encoder& out);
// Its texts are views of the decoder's bytes.
Event read_event(Decoder& in);

void write_mark(const MarkOfInput& mark, Encoder& out);
MarkOfInput read_mark(Decoder& in);

void write_health(const FirewallHealth& health, Encoder& out);
FirewallHealth read_health(Decoder& in);

inline void write_network(const Network& n, Encoder& out) {
  out.address(n.address);
  out.number(static_cast<uint64_t>(n.prefix));
}
// Bits right of the prefix, or a prefix that is none, are a fault.
Network read_network(Decoder& in);

}  // namespace mailward
