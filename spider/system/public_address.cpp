// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/public_address.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "config.hpp"
#include "spider/connect/socket.hpp"

#include <charconv>
#include <cstring>
#include <curl/curl.h>
#include <memory>
#include <netinet/in.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

struct CurlDeleter {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view space = " \t\r\n";
  const auto first = text.find_first_not_of(space);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(space) + 1 - first);
}

/// "AS64500 Example Net", "AS64500" or "64500".
std::optional<std::uint32_t> as_number(std::string_view text) noexcept {
  if (text.starts_with("AS"))
    text.remove_prefix(2);
  text = text.substr(0, text.find(' '));
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::uint32_t> as_number(simdjson::dom::element value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS)
    return as_number(text);
  return value.is<std::uint64_t>() ? as_number(simdjson::minify(value)) : std::nullopt;
}

Address address_of(const curl_sockaddr& target) noexcept {
  Address address{};
  if (target.family == AF_INET) {
    address.version = 4;
    std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in&>(target.addr).sin_addr, 4);
  } else if (target.family == AF_INET6) {
    address.version = 6;
    std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in6&>(target.addr).sin6_addr, 16);
  }
  return address;
}

/// One GET, over one family.
class LookUp {
public:
  LookUp(std::uint8_t version, const std::string& interface, RouteFinder& routes, const std::atomic<bool>& stop)
      : version_(version), routes_(routes), stop_(stop) {
    request_.interface = interface;
  }

  /// Whether a packet could be sent at all: the server has an address of the family, and the address a route.
  [[nodiscard]] bool had_route() const noexcept { return had_route_; }

  /// The body of the answer. Throws Error.
  std::string get(const std::string& url, std::chrono::milliseconds patience) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    const std::unique_ptr<CURL, CurlDeleter> easy(ready == CURLE_OK ? curl_easy_init() : nullptr);
    const std::unique_ptr<curl_slist, CurlDeleter> accept(
        curl_slist_append(nullptr, "Accept: application/json, text/plain"));
    if (!easy || !accept)
      throw Error("libcurl cannot be started: no memory?");
    const auto set = [&easy](CURLoption option, auto value) { curl_easy_setopt(easy.get(), option, value); };
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_IPRESOLVE, version_ == 4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6);
    set(CURLOPT_PROXY, ""); // whatever the environment says: it is not the proxy's address that is asked for
    set(CURLOPT_HTTPHEADER, accept.get());
    set(CURLOPT_USERAGENT, "orbweaver/" ORBWEAVER_VERSION);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(patience.count()));
    set(CURLOPT_OPENSOCKETFUNCTION, &LookUp::open_socket);
    set(CURLOPT_OPENSOCKETDATA, this);
    set(CURLOPT_WRITEFUNCTION, &LookUp::take);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &LookUp::asked_to_stop);
    set(CURLOPT_XFERINFODATA, this);
    const CURLcode code = curl_easy_perform(easy.get());
    if (too_long_)
      throw Error("the answer is longer than " + std::to_string(max_look_up_octets) + " octets");
    if (code != CURLE_OK)
      throw Error(curl_easy_strerror(code));
    long status = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
      throw Error("the server answered " + std::to_string(status));
    return std::move(body_);
  }

private:
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* target) {
    auto& look_up = *static_cast<LookUp*>(self);
    try {
      look_up.request_.source = look_up.routes_.to(address_of(*target), IPPROTO_TCP, 0).source;
    } catch (const Error&) {
      return CURL_SOCKET_BAD;
    }
    if (look_up.request_.source.version == 0)
      return CURL_SOCKET_BAD;
    look_up.had_route_ = true;
    BoundSocket socket = open_bound_socket(look_up.request_, SOCK_STREAM);
    return socket.fd ? socket.fd.release() : CURL_SOCKET_BAD;
  }

  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    auto& look_up = *static_cast<LookUp*>(self);
    look_up.too_long_ = look_up.body_.size() + size * count > max_look_up_octets;
    if (look_up.too_long_)
      return 0;
    look_up.body_.append(data, size * count);
    return size * count;
  }

  static int asked_to_stop(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<LookUp*>(self)->stop_.load(std::memory_order_relaxed) ? 1 : 0;
  }

  std::uint8_t version_;
  RouteFinder& routes_;
  const std::atomic<bool>& stop_;
  ConnectRequest request_; ///< where sockets are bound to
  std::string body_;
  bool had_route_ = false;
  bool too_long_ = false;
};

} // namespace

PublicAddress parse_public_address(std::string_view answer) {
  answer = trimmed(answer);
  PublicAddress result;
  if (!answer.starts_with('{')) {
    result.address = parse_address(answer);
  } else {
    simdjson::dom::parser parser;
    simdjson::dom::element document, value;
    if (const auto error = parser.parse(simdjson::padded_string(answer)).get(document))
      throw Error(std::string("the answer is no JSON object: ") + simdjson::error_message(error));
    std::string_view text;
    if (document["ip"].get(text) == simdjson::SUCCESS)
      result.address = parse_address(text);
    for (const char* const key : {"asn", "org"})
      if (!result.asn && document[key].get(value) == simdjson::SUCCESS)
        result.asn = as_number(value);
  }
  if (result.address.version == 0)
    throw Error("the answer has no address");
  return result;
}

void check_look_up_url(const std::string& url) {
  const std::unique_ptr<CURLU, CurlDeleter> parsed(curl_url());
  if (!(url.starts_with("http://") || url.starts_with("https://")) ||
      curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK)
    throw UsageError("--look-up-public " + url + ": that is no URL that begins with http:// or https://");
}

void look_up_public(const std::string& url, LocalAddresses& local, RouteFinder& routes, const std::atomic<bool>& stop,
                    std::chrono::milliseconds patience) {
  const bool asn_told = local.asn.has_value();
  std::string unreached; // why, of the families without a route
  bool reached = false;  // or need not be
  const auto look_up = [&](std::uint8_t version, Address& seen) {
    const bool address_told = seen.version != 0;
    if (address_told && asn_told) {
      reached = true;
      return;
    }
    LookUp look_up(version, local.interface, routes, stop);
    try {
      const auto found = parse_public_address(look_up.get(url, patience));
      if (found.address.version != version)
        throw Error("the answer has an address of the other family, " + address_text(found.address));
      if (!address_told)
        seen = found.address;
      if (!local.asn)
        local.asn = found.asn;
    } catch (const Error& error) {
      if (look_up.had_route())
        spdlog::warn("the public IPv{} address is not known: {}: {}", version, url, error.what());
      else
        unreached = error.what();
    }
    reached = reached || look_up.had_route();
  };
  look_up(4, local.public_ip4);
  look_up(6, local.public_ip6);
  if (!reached && !unreached.empty())
    spdlog::warn("the public address is not known: {}: {}", url, unreached);
}

} // namespace orbweaver
