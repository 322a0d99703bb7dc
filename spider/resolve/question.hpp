// SPDX-License-Identifier: GPL-3.0-or-later
// One question to the DNS: the addresses of one family of a name. Name servers are asked in their order, one after
// another, three times round, until one of them tells; what tells nothing (SERVFAIL, REFUSED, silence) has the next one
// asked. One thread, under the event loop.
#pragma once

#include "spider/resolve/name_server.hpp"
#include "spider/resolve/resolver.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

class Question {
public:
  using Servers = std::vector<std::unique_ptr<NameServer>>;

  /// Calls `done` once it is over, from the event loop; that may destroy it. All must outlive it.
  Question(EventLoop& loop, const Servers& servers, std::string name, DnsType type, std::uint64_t timeout_ns,
           std::function<void()> done);
  ~Question();
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  /// What is known by now.
  [[nodiscard]] Resolver::Answer answer() const;

private:
  struct Arrival {
    std::size_t server;
    std::vector<std::uint8_t> message; ///< empty: there is none
    std::string problem;
  };

  void begin();
  void ask_next();
  void arrived(std::size_t server, std::span<const std::uint8_t> message, const std::string& problem);
  void take_arrival();
  void take(std::size_t server, const DnsAddresses& told);
  void failed(std::size_t server, std::string words);
  void end(Resolver::Answer&& answer);

  EventLoop& loop_;
  const Servers& servers_;
  std::string name_;
  DnsType type_;
  std::uint64_t timeout_ns_;
  std::function<void()> done_;
  std::vector<std::unique_ptr<NameServer::Query>> queries_;
  std::deque<Arrival> arrivals_;
  std::vector<std::string> failures_; ///< by server, in words
  std::size_t asked_ = 0;             ///< times that a server was, or would have been
  unsigned aliases_ = 0;              ///< followed by questions of our own
  EventLoop::Timer arrival_ = 0;      ///< until the first arrival is taken
  EventLoop::Timer next_ = 0;         ///< until the next server is asked, or all is over
  bool is_over_ = false;
  Resolver::Answer answer_;
};

} // namespace orbweaver
