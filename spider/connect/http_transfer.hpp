// SPDX-License-Identifier: GPL-3.0-or-later
// One HTTP request as libcurl makes it: its handle and options, what of the response is kept, and what came of it.
// Owned by its connection; the spider's thread. libcurl calls back into it, so it stays where it is.
#pragma once

#include "spider/connect/connect.hpp"
#include "spider/connect/http_header.hpp"

#include <curl/curl.h>
#include <memory>
#include <string>

namespace orbweaver {

/// What is kept of a response. Reading ends there.
struct HttpLimits {
  std::size_t header_octets = 65'536;
  std::size_t body_octets = 65'536;
};

class HttpTransfer {
public:
  HttpTransfer(const ConnectRequest& request, const HttpLimits& limits);
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  /// Null where the request cannot be made.
  [[nodiscard]] CURL* handle() const noexcept { return easy_.get(); }

  /// Nothing can come of it any more for a reason of our own, which is no fault of the path.
  void give_up(const char* why) noexcept { error_ = why; }

  /// Whether it ended before a packet could leave, because the local port was not free for this target, and is ready
  /// to be started again on the next port. A few times true.
  [[nodiscard]] bool again(CURLcode code) noexcept;

  /// What came of it, once libcurl is done with it and its socket is closed.
  [[nodiscard]] ConnectResult result(CURLcode code) const;

private:
  struct CurlDeleter {
    void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
    void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
  };

  [[nodiscard]] bool set_target();
  void set_options() noexcept;

  static curl_socket_t open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self);
  void describe(CURLcode code, json::Object& object) const;

  ConnectRequest request_;
  std::size_t body_limit_;
  HttpHeader header_;
  std::string body_;
  bool body_truncated_ = false;
  bool socket_opened_ = false;
  int tries_ = 0;
  std::int32_t source_port_ = -1;
  int socket_error_ = 0; ///< errno, where there could be no socket
  std::uint64_t start_ns_;
  const char* error_ = nullptr;
  std::unique_ptr<CURLU, CurlDeleter> url_;
  std::unique_ptr<curl_slist, CurlDeleter> connect_to_;
  std::unique_ptr<CURL, CurlDeleter> easy_; ///< goes first: it points to all of the above
};

} // namespace orbweaver
