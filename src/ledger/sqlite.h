// SQLite's C interface with owners for its handles. Everything that can fail says so with SQLite's own words.
// (Debian's SQLiteCpp is a compiled library for libstdc++ and throws: it fits neither the portable build nor the
// rest of the house; what is needed of it is this page.)
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailward {

class Database;

// A prepared statement. Bind from 1 on, step, read columns from 0 on, reset. Not thread-safe.
class Statement {
 public:
  Statement() = default;

  Statement& bind(int at, int64_t value) {
    sqlite3_bind_int64(handle_.get(), at, value);
    return *this;
  }
  // Texts and blobs must live until the statement was stepped. (Without an address they would be NULL.)
  Statement& bind(int at, std::string_view text) {
    sqlite3_bind_text(handle_.get(), at, text.data() ? text.data() : "", static_cast<int>(text.size()), SQLITE_STATIC);
    return *this;
  }
  Statement& bind_blob(int at, std::string_view bytes) {
    sqlite3_bind_blob(handle_.get(), at, bytes.data() ? bytes.data() : "", static_cast<int>(bytes.size()),
                      SQLITE_STATIC);
    return *this;
  }
  Statement& bind_null(int at) {
    sqlite3_bind_null(handle_.get(), at);
    return *this;
  }

  // True: there is a row. False: done. The statement is reset before an error is given.
  Result<bool> step();
  // For statements that give no row: steps and resets.
  Result<void> run();
  void reset() { sqlite3_reset(handle_.get()); }

  int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  bool is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }
  // Valid until the next step or reset.
  std::string_view bytes(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  enum class Mode : uint8_t { kReadOnly, kReadWrite, kCreate };
  static Result<Database> open(const std::string& path, Mode mode);

  Result<void> run(const std::string& sql);  // one statement or several
  Result<Statement> prepare(std::string_view sql);
  Result<int64_t> integer(const std::string& sql);  // the first column of its first row; 0 where there is none
  // SQLite's extended code of what failed last.
  int code() const { return sqlite3_extended_errcode(handle_.get()); }
  int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace mailward
