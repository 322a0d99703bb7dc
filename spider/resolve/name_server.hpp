// SPDX-License-Identifier: GPL-3.0-or-later
// One name server, asked by c-ares under the event loop: over UDP, and over TCP where the answer says that it does not
// fit. One thread.
#pragma once

#include "spider/connect/dns_message.hpp"
#include "spider/engine/event_loop.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

struct ares_channeldata;
struct ares_options;

namespace orbweaver {

class NameServer {
public:
  /// What comes of a query: the server's message; or none, and why in words ("connection refused"), or nothing for
  /// what gave no sign at all.
  using Answered = std::function<void(std::span<const std::uint8_t> message, const std::string& problem)>;

  /// A query that is under way. Destroying it is to forget it.
  class Query {
  public:
    Query(NameServer& server, const std::string& name, DnsType type, Answered answered);
    ~Query();
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

  private:
    friend class NameServer;
    struct Held;
    Held* held_; ///< null once it was answered
    Answered answered_;
  };

  /// `server` as Resolver takes it, or one of system_name_servers(). It is waited for `timeout_ns` at the longest.
  /// Throws UsageError for what names no server, Error where c-ares cannot start.
  NameServer(EventLoop& loop, const std::string& server, std::uint64_t timeout_ns);
  /// Its queries must be gone.
  ~NameServer();

  /// As it was given, without the port where that is 53.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

private:
  struct ChannelDeleter {
    void operator()(ares_channeldata* channel) const noexcept;
  };
  using Channel = std::unique_ptr<ares_channeldata, ChannelDeleter>;

  friend std::vector<std::string> system_name_servers();
  static Channel open(ares_options options, int mask);

  static void watch_socket(void* self, int socket, int readable, int writable) noexcept;
  static void answered(void* held, int status, int timeouts, unsigned char* message, int octets) noexcept;
  void schedule_tick();

  EventLoop& loop_;
  std::string name_;
  std::unordered_set<int> watched_;
  std::size_t open_ = 0; ///< queries that c-ares holds
  EventLoop::Timer tick_ = 0;
  Channel channel_;
};

/// Those of /etc/resolv.conf, as NameServer takes them.
[[nodiscard]] std::vector<std::string> system_name_servers();

} // namespace orbweaver
