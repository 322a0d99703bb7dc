// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's own limit for measurement by connections: one thread that connects and closes, so many under way at
// once, and does nothing else. Addresses come on standard input, one a line. Prints one JSON object.
//
// usage: connect_loop [-w UNDER-WAY] [-p PORT] [-r ROUNDS]      every address once a round
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/process/options/command_line.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <string>
#include <system_error>
#include <vector>

namespace {

struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
};

Target parse(const std::string& text, std::uint16_t port) {
  Target target;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  const auto store = [&target](const auto& address) {
    target.length = sizeof(address);
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&address), sizeof(address),
                reinterpret_cast<std::uint8_t*>(&target.address));
  };
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    store(v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    store(v6);
  } else {
    throw std::runtime_error("not an address: " + text);
  }
  return target;
}

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Starts a connection; returns its socket, or -1 where it failed at once.
int start(const Target& target, int epoll) {
  const int file = socket(target.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (file < 0)
    fail("socket");
  if (connect(file, reinterpret_cast<const sockaddr*>(&target.address), target.length) != 0 && errno != EINPROGRESS) {
    close(file);
    return -1;
  }
  epoll_event interest{.events = EPOLLOUT, .data = {.fd = file}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, file, &interest) != 0)
    fail("epoll_ctl");
  return file;
}

bool connected(int file) {
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

struct Outcome {
  std::uint64_t connections = 0;
  std::uint64_t failed = 0;
};

Outcome run(const std::vector<Target>& targets, unsigned under_way_limit, unsigned rounds) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0)
    fail("epoll_create1");
  Outcome outcome;
  const std::uint64_t total = targets.size() * rounds;
  std::uint64_t next = 0;
  unsigned under_way = 0;
  std::array<epoll_event, 256> events{};
  while (outcome.connections + outcome.failed < total) {
    for (; next < total && under_way < under_way_limit; ++next)
      start(targets[next % targets.size()], epoll) < 0 ? ++outcome.failed : ++under_way;
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    if (ready < 0 && errno != EINTR)
      fail("epoll_wait");
    for (int i = 0; i < ready; ++i) {
      const int file = events.at(static_cast<std::size_t>(i)).data.fd;
      connected(file) ? ++outcome.connections : ++outcome.failed;
      close(file);
      --under_way;
    }
  }
  close(epoll);
  return outcome;
}

} // namespace

int main(int argc, char** argv) {
  orbweaver::CommandLine app("Connects and closes, as fast as the kernel can.", "connect_loop");
  unsigned under_way = 1000, rounds = 1;
  std::uint16_t port = 80;
  app.add_option("-w", under_way, "connections under way at once")->capture_default_str();
  app.add_option("-p", port, "port")->capture_default_str();
  app.add_option("-r", rounds, "rounds: each address once a round")->capture_default_str();
  try {
    if (const auto status = app.parse(argc, argv))
      return *status;
    std::vector<Target> targets;
    for (std::string line; std::getline(std::cin, line);)
      targets.push_back(parse(line, port));
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = run(targets, under_way, rounds);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("{\"connections\":%ju,\"failed\":%ju,\"seconds\":%.6f}\n",
                static_cast<std::uintmax_t>(outcome.connections), static_cast<std::uintmax_t>(outcome.failed),
                took.count());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "connect_loop: %s\n", error.what());
    return 1;
  }
}
