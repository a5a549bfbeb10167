// What Kubernetes keeps of a container's output, the CRI's log form (kuberuntime/logs/logs.go):
//   2026-03-02T10:00:00.123456789Z stdout F text
// stamp, stream, tags parted by ':' (the first: F, or P where the line goes on in the stream's next one),
// text. The text may have a header of its own, which then names host and program; the time is the CRI's.
#pragma once

#include <cstdint>
#include <string_view>

#include "log/header.h"
#include "log/pieces.h"

namespace mailward {

struct CriLine {
  Stamp stamp;
  std::string_view text;
  bool error = false;  // of stderr
  bool last = false;   // no more of this line comes
};
// False: another form.
bool parse_cri(std::string_view line, CriLine& out);

class CriReader {
 public:
  // The form of the lines inside, from the first bytes of the file.
  static Form detect_inner(std::string_view first_bytes, std::string_view file_name);

  CriReader(Form inner, TimeFold fold, std::string_view file_name)
      : zone_(fold.zone()), inner_(inner, fold, file_name) {}

  // kContinuation: a piece, its line is not complete yet. Views live until the next call.
  Took read(std::string_view line, Record& out);
  uint64_t overlong() const { return pieces_.overlong(); }

 private:
  const Zone& zone_;
  HeaderReader inner_;
  Pieces pieces_;
};

}  // namespace mailward
