// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/http_transfer.hpp"

#include "common/address.hpp"
#include "common/clock.hpp"
#include "config.hpp"
#include "spider/connect/socket.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

/// An address as it stands in a URL.
std::string url_host(const Address& address) {
  return address.version == 4 ? address_text(address) : std::string("[").append(address_text(address)).append("]");
}

template <typename T>
T info(CURL* easy, CURLINFO which) noexcept {
  T value{};
  curl_easy_getinfo(easy, which, &value);
  return value;
}

const char* version_name(long version) noexcept {
  switch (version) {
  case CURL_HTTP_VERSION_1_0:
    return "1.0";
  case CURL_HTTP_VERSION_1_1:
    return "1.1";
  case CURL_HTTP_VERSION_2_0:
    return "2";
  default:
    return nullptr;
  }
}

} // namespace

HttpTransfer::HttpTransfer(const ConnectRequest& request, const HttpLimits& limits)
    : request_(request), body_limit_(limits.body_octets), header_(limits.header_octets), start_ns_(realtime_ns()),
      url_(curl_url()), easy_(curl_easy_init()) {
  if (!set_target())
    easy_.reset();
  else
    set_options();
}

/// The URL has the domain, so that it is the Host and the server name; the connection goes to the address.
bool HttpTransfer::set_target() {
  const auto host = url_host(request_.destination);
  const auto port = std::to_string(request_.destination_port);
  connect_to_.reset(curl_slist_append(nullptr, ("::" + host + ':' + port).c_str()));
  if (!url_ || !easy_ || !connect_to_) {
    error_ = "no memory";
    return false;
  }
  const auto set = [this](CURLUPart part, const std::string& text) {
    return curl_url_set(url_.get(), part, text.c_str(), 0) == CURLUE_OK;
  };
  if (!set(CURLUPART_SCHEME, std::string(to_string(request_.kind))) ||
      !set(CURLUPART_HOST, request_.domain.empty() ? host : request_.domain) || !set(CURLUPART_PORT, port) ||
      !set(CURLUPART_PATH, "/")) {
    error_ = "the domain cannot stand in a URL";
    return false;
  }
  return true;
}

void HttpTransfer::set_options() noexcept {
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy_.get(), option, value); };
  set(CURLOPT_CURLU, url_.get());
  set(CURLOPT_CONNECT_TO, connect_to_.get());
  set(CURLOPT_DNS_CACHE_TIMEOUT, 0L); // the address is all there is to look up: nothing to keep
  set(CURLOPT_PROXY, "");             // whatever the environment says
  set(CURLOPT_USERAGENT, "orbweaver/" ORBWEAVER_VERSION);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, std::max(static_cast<long>(request_.timeout_ns / 1'000'000), 1L));

  // One connection for one request, on a socket of ours.
  set(CURLOPT_OPENSOCKETFUNCTION, &HttpTransfer::open_socket);
  set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TCP_FASTOPEN, request_.fast_open ? 1L : 0L);

  set(CURLOPT_HTTP_VERSION, static_cast<long>(request_.http2 ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTP09_ALLOWED, 0L);
  set(CURLOPT_HEADERFUNCTION, &HttpTransfer::take_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &HttpTransfer::take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));

  // Without a place to look for authorities none are read, connection by connection.
  set(CURLOPT_SSL_VERIFYPEER, 0L);
  set(CURLOPT_SSL_VERIFYHOST, 0L);
  set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));
  set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  set(CURLOPT_SSL_SESSIONID_CACHE, 0L); // each configuration makes the whole handshake
}

curl_socket_t HttpTransfer::open_socket(void* self, curlsocktype, curl_sockaddr*) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  if (std::exchange(transfer.socket_opened_, true)) { // libcurl would begin anew, for instance where HTTP/2 was refused
    transfer.give_up("the server asked for a second connection");
    return CURL_SOCKET_BAD;
  }
  auto socket = open_bound_socket(transfer.request_, SOCK_STREAM);
  if (!socket.fd) {
    transfer.socket_error_ = socket.error;
    transfer.give_up("no local port");
    return CURL_SOCKET_BAD;
  }
  transfer.source_port_ = socket.port;
  transfer.start_ns_ = realtime_ns();
  return socket.fd.release();
}

std::size_t HttpTransfer::take_header(char* data, std::size_t size, std::size_t count, void* self) {
  return static_cast<HttpTransfer*>(self)->header_.add_line({data, size * count}) ? size * count : 0;
}

std::size_t HttpTransfer::take_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::size_t octets = size * count, taken = std::min(octets, transfer.body_limit_ - transfer.body_.size());
  transfer.body_.append(data, taken);
  transfer.body_truncated_ = taken < octets;
  return taken;
}

bool HttpTransfer::again(CURLcode code) noexcept {
  if (code != CURLE_COULDNT_CONNECT || info<long>(easy_.get(), CURLINFO_OS_ERRNO) != EADDRNOTAVAIL)
    return false;
  socket_opened_ = false;
  source_port_ = -1;
  return ++tries_ < max_port_tries;
}

ConnectResult HttpTransfer::result(CURLcode code) const {
  ConnectResult result;
  result.source_port = source_port_;
  result.start_ns = start_ns_;
  if (header_.begun())
    result.state = ConnectionState::ok;
  else
    result.state = code == CURLE_OPERATION_TIMEDOUT && !error_ ? ConnectionState::timeout : ConnectionState::failed;
  if (result.state == ConnectionState::failed) {
    result.error = socket_error_ != 0 ? socket_error_
                   : easy_ && code == CURLE_COULDNT_CONNECT
                       ? static_cast<int>(info<long>(easy_.get(), CURLINFO_OS_ERRNO))
                       : 0;
    result.never_left = socket_error_ != 0;
  }
  auto& members = result.members;
  if (header_.begun()) {
    members.add("http_response_code", info<long>(easy_.get(), CURLINFO_RESPONSE_CODE));
    members.add_object("http_response_header", [&](json::Object& header) { header_.describe(header); });
    members.add("http_response_body", body_);
  }
  members.add_object("http_info", [&](json::Object& object) { describe(code, object); });
  result.stop_ns = realtime_ns();
  return result;
}

void HttpTransfer::describe(CURLcode code, json::Object& object) const {
  const auto add_text = [&](std::string_view name, const char* text) {
    if (text)
      object.add(name, text);
  };
  const auto add_time = [&](std::string_view name, CURLINFO which) {
    object.add(name, json::Decimal{static_cast<double>(info<curl_off_t>(easy_.get(), which)) / 1e6, 6});
  };
  if (header_.begun()) {
    add_text("http_version", version_name(info<long>(easy_.get(), CURLINFO_HTTP_VERSION)));
    object.add("header_truncated", header_.truncated()).add("body_truncated", body_truncated_);
  }
  if (easy_) {
    add_text("primary_ip", info<const char*>(easy_.get(), CURLINFO_PRIMARY_IP));
    object.add("primary_port", info<long>(easy_.get(), CURLINFO_PRIMARY_PORT));
    add_time("connect_time", CURLINFO_CONNECT_TIME_T);
    if (request_.kind == ConnectKind::https)
      add_time("appconnect_time", CURLINFO_APPCONNECT_TIME_T);
    add_time("starttransfer_time", CURLINFO_STARTTRANSFER_TIME_T);
    add_time("total_time", CURLINFO_TOTAL_TIME_T);
  }
  // Truncation is no error: it was libcurl that was told to stop.
  if (error_)
    add_text("error", error_);
  else if (code != CURLE_OK && !header_.truncated() && !body_truncated_)
    add_text("error", curl_easy_strerror(code));
}

} // namespace orbweaver
