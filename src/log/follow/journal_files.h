// The files of a systemd journal, opened. As with series.h, this is the part that needs rights; what is opened here
// is read elsewhere (journal_follower.h).
//
// `where` is what stands behind "journal:" in the configuration. Empty: the journal of this machine, the folder of its
// id in /var/log/journal and in /run/log/journal. A folder: the journal files in it and in those of its folders
// whose names are ids (32 hexadecimal digits). A file: that one. These are the files that `scan` reads too.
// Regular files only, never through a symbolic link in the last part of the name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "base/result.h"

namespace mailward {

struct JournalFile {
  Descriptor file;
  std::string name;  // with its folder
  uint64_t device = 0, inode = 0;
};

struct JournalFiles {
  std::vector<JournalFile> files;    // in no order
  std::vector<std::string> trouble;  // one sentence for each that is there and can't be opened
  bool complete = true;  // none was left out. Only then does a hole in the entries' numbers say that some are lost
  bool settled = true;   // none came or went meanwhile: these were all of them at one moment
  uint64_t answers = 0;  // JournalFollower::asked(): every listing began after that was asked
};

// journald keeps 100 files by itself (SystemMaxFiles= in journald.conf(5)), and those of users.
inline constexpr size_t kMostJournalFiles = 512;

// For tests.
struct JournalPlaces {
  std::string persistent = "/var/log/journal", runtime = "/run/log/journal", machine_id = "/etc/machine-id";
};

// "journal:", "journal:PATH": an input that is a journal, and what follows the colon.
bool is_journal_input(std::string_view input);
std::string journal_of_input(std::string_view input);

// Each descriptor is closed on exec. Of more files than `most` the ones that were written to last. A folder that can't
// be read is an error; one that isn't there has no files.
Result<JournalFiles> open_journal_files(const std::string& where, size_t most = kMostJournalFiles,
                                        const JournalPlaces& places = {});

// The folders in which its files are or may come to be, whether they are there or not, for whoever watches them.
// `file`: only that name counts in the folder; empty: every journal file.
struct JournalFolder {
  std::string path, file;
};
std::vector<JournalFolder> journal_folders(const std::string& where, const JournalPlaces& places = {});
// "system.journal", "user-1000@….journal~".
bool is_journal_file_name(std::string_view name);
// Of a folder that belongs to a machine.
bool is_machine_id(std::string_view name);

}  // namespace mailward
