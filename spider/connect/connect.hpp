// SPDX-License-Identifier: GPL-3.0-or-later
// What is asked of a connection and what came of it. Plain values: what a plugin sees of the engine.
#pragma once

#include "common/json/checked_members.hpp"
#include "common/process/options/defaults.hpp"
#include "common/stream/records/connection_keys.hpp"
#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

enum class ConnectKind {
  tcp,    ///< connect, close
  http,   ///< GET /, Host from the job's domain
  https,  ///< the same over TLS, the certificate not verified
  dnstcp, ///< an A query for the job's domain
  dnsudp,
  tcpsyn, ///< forge: one SYN
};

/// "tcp", "http", …
[[nodiscard]] constexpr std::string_view to_string(ConnectKind kind) noexcept {
  switch (kind) {
  case ConnectKind::tcp:
    return "tcp";
  case ConnectKind::http:
    return "http";
  case ConnectKind::https:
    return "https";
  case ConnectKind::dnstcp:
    return "dnstcp";
  case ConnectKind::dnsudp:
    return "dnsudp";
  case ConnectKind::tcpsyn:
    return "tcpsyn";
  }
  return {};
}

[[nodiscard]] constexpr std::optional<ConnectKind> connect_kind(std::string_view name) noexcept {
  for (const auto kind : {ConnectKind::tcp, ConnectKind::http, ConnectKind::https, ConnectKind::dnstcp,
                          ConnectKind::dnsudp, ConnectKind::tcpsyn})
    if (to_string(kind) == name)
      return kind;
  return std::nullopt;
}

/// Where a job says none: 80, 443, 53.
[[nodiscard]] constexpr std::uint16_t default_port(ConnectKind kind) noexcept {
  switch (kind) {
  case ConnectKind::https:
    return 443;
  case ConnectKind::dnstcp:
  case ConnectKind::dnsudp:
    return 53;
  default:
    return 80;
  }
}

/// 17 for dnsudp, 6 for all else.
[[nodiscard]] constexpr std::uint8_t protocol_of(ConnectKind kind) noexcept {
  return kind == ConnectKind::dnsudp ? 17 : 6;
}

struct ConnectRequest {
  ConnectKind kind = ConnectKind::tcp;
  Address source{}; ///< of the interface asked for
  Address destination{};
  std::uint16_t destination_port = 0;
  std::string interface; ///< name, for SO_BINDTODEVICE
  std::string domain;    ///< Host, server name, or the name that is asked for; empty: the address stands in for it
  std::uint64_t timeout_ns = default_connection_timeout_s * 1'000'000'000;
  std::uint8_t code_point = 0; ///< DSCP of all that is sent (RFC 2474), 0 to 63
  bool fast_open = false;      ///< what is sent first goes with the SYN where a cookie is known (RFC 7413); not for udp
  bool http2 = false;          ///< http, https: try HTTP/2 (an upgrade without TLS, ALPN with it)
  /// Local ports of the job's connections before this one. On the same ports, its packets would be taken for theirs.
  std::vector<std::uint16_t> ports_had;
};

struct ConnectResult {
  ConnectionState state = ConnectionState::failed;
  std::int32_t source_port = -1; ///< known before the first packet left; -1 where that failed
  std::uint64_t start_ns = 0;    ///< CLOCK_REALTIME before the first packet and after the end
  std::uint64_t stop_ns = 0;
  int error = 0;           ///< errno that it failed with, 0: none; ConnectionRecord::link_lost
  bool never_left = false; ///< the system refused before a packet could leave
  /// More members of the connection's record: `members.add("http_response_code", 200)`.
  json::CheckedMembers members{connection_keys};
};

} // namespace orbweaver
