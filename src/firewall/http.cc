#include "firewall/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kMostBody = 256U << 20;

size_t append(const char* data, size_t size, size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kMostBody) return 0;  // libcurl takes that for an error
  body.append(data, size * count);
  return size * count;
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

struct HttpClient::Handle {
  CURL* curl = curl_easy_init();
  char error[CURL_ERROR_SIZE] = "";
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { curl_easy_cleanup(curl); }
};

HttpClient::HttpClient(std::string server, std::chrono::milliseconds timeout)
    : server_(std::move(server)), timeout_(timeout), handle_(std::make_unique<Handle>()) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::ask(const std::string& method, const std::string& path, const std::string& body,
                                   const std::string& bearer) {
  CURL* const curl = handle_->curl;
  if (curl == nullptr) return fail("libcurl can't be started");
  HttpAnswer answer;
  std::unique_ptr<curl_slist, FreeList> headers(curl_slist_append(nullptr, "Content-Type: application/json"));
  headers.reset(curl_slist_append(headers.release(), "Expect:"));
  if (!bearer.empty()) headers.reset(curl_slist_append(headers.release(), ("Authorization: Bearer " + bearer).c_str()));
  curl_easy_reset(curl);  // options go, the connection stays
  curl_easy_setopt(curl, CURLOPT_URL, (server_ + path).c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  if (!body.empty()) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "mailward/1");  // CrowdSec refuses one without a version
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout_.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, handle_->error);
  handle_->error[0] = 0;
  if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK)
    return fail(fmt::format("{} does not answer: {}", for_terminal(server_),
                            for_terminal(handle_->error[0] != 0 ? handle_->error : curl_easy_strerror(code))));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

std::string HttpClient::escaped(std::string_view text) const {
  const std::unique_ptr<char, decltype(&curl_free)> made(
      curl_easy_escape(handle_->curl, text.data(), static_cast<int>(text.size())), curl_free);
  return made ? made.get() : "";
}

}  // namespace mailward
