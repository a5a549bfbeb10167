// One HTTP client for one server: JSON there and back, over a connection that stays open. libcurl; no redirects, no
// proxy, no signals; an answer is bounded. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailward {

struct HttpAnswer {
  long status = 0;
  std::string body;
};

class HttpClient {
 public:
  HttpClient(std::string server, std::chrono::milliseconds timeout);  // "http://127.0.0.1:8080"
  ~HttpClient();

  // `bearer` empty: without. An error: no answer (said in words for a person); any status is none.
  Result<HttpAnswer> ask(const std::string& method, const std::string& path, const std::string& body,
                         const std::string& bearer);

  // For a value in a query.
  std::string escaped(std::string_view text) const;

 private:
  struct Handle;
  std::string server_;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Handle> handle_;
};

}  // namespace mailward
