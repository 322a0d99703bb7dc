// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/link_watch.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr int answer_ms = 1000;

/// An attribute of a link message; nullptr: it has none.
const rtattr* attribute_in(const nlmsghdr& message, unsigned short type) noexcept {
  const auto* const link = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  auto left = static_cast<int>(IFLA_PAYLOAD(&message));
  for (const rtattr* attribute = IFLA_RTA(link); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    if (attribute->rta_type == type)
      return attribute;
  return nullptr;
}

/// The interface's name in a link message; empty: none.
std::string_view name_in(const nlmsghdr& message) noexcept {
  const rtattr* const name = attribute_in(message, IFLA_IFNAME);
  if (name == nullptr)
    return {};
  const auto* const text = static_cast<const char*>(RTA_DATA(name));
  return {text, strnlen(text, RTA_PAYLOAD(name))};
}

/// How often the interface has lost its carrier, where a link message says so.
std::optional<std::uint32_t> carrier_losses_in(const nlmsghdr& message) noexcept {
  const rtattr* const losses = attribute_in(message, IFLA_CARRIER_DOWN_COUNT);
  std::uint32_t count;
  if (losses == nullptr || RTA_PAYLOAD(losses) < sizeof count)
    return std::nullopt;
  std::memcpy(&count, RTA_DATA(losses), sizeof count);
  return count;
}

LinkState state_of(unsigned flags) noexcept {
  if ((flags & IFF_UP) == 0)
    return LinkState::down;
  return (flags & IFF_LOWER_UP) != 0 ? LinkState::working : LinkState::no_carrier;
}

} // namespace

std::string_view in_words(LinkState state) noexcept {
  switch (state) {
  case LinkState::working:
    return "works";
  case LinkState::no_carrier:
    return "lost its carrier";
  case LinkState::down:
    return "went down";
  case LinkState::removed:
    return "was removed";
  }
  return "is in an unknown state";
}

LinkWatch::LinkWatch(std::string interface)
    : interface_(std::move(interface)), socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (!socket_ || bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw Error("cannot watch the state of interface " + interface_ + ": " + errno_text());
  ask();
  pollfd ready{socket_.get(), POLLIN, 0};
  if (poll(&ready, 1, answer_ms) <= 0)
    throw Error("cannot find out the state of interface " + interface_ + ": the kernel does not answer");
  look();
  worst_ = LinkState::working; // nothing has happened since
}

/// Has the kernel say how the interface is: a message as it sends them when something changes, or an error.
void LinkWatch::ask() {
  struct {
    nlmsghdr header;
    ifinfomsg link;
    rtattr attribute;
    std::array<char, IFNAMSIZ> name;
  } request{};
  static_assert(sizeof request == NLMSG_LENGTH(sizeof(ifinfomsg)) + RTA_LENGTH(IFNAMSIZ));
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.attribute.rta_len = RTA_LENGTH(IFNAMSIZ);
  request.attribute.rta_type = IFLA_IFNAME;
  interface_.copy(request.name.data(), IFNAMSIZ - 1);
  send(socket_.get(), &request, sizeof request, 0);
}

void LinkWatch::look() noexcept {
  while (receive(MSG_DONTWAIT)) {
  }
}

void LinkWatch::wait(std::chrono::milliseconds time) noexcept {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(time.count())) > 0)
    look();
}

LinkState LinkWatch::take_worst() noexcept {
  return std::exchange(worst_, state_);
}

/// Takes one datagram; false where there is none.
bool LinkWatch::receive(int flags) noexcept {
  alignas(nlmsghdr) std::array<std::byte, 32768> buffer;
  sockaddr_nl from{};
  socklen_t from_length = sizeof from;
  const ssize_t size =
      recvfrom(socket_.get(), buffer.data(), buffer.size(), flags, reinterpret_cast<sockaddr*>(&from), &from_length);
  if (size > 0) {
    if (from.nl_pid == 0) // the kernel
      take({buffer.data(), static_cast<std::size_t>(size)});
    return true;
  }
  if (size < 0 && errno == ENOBUFS) { // more happened than there was room for
    ask();
    return true;
  }
  return size < 0 && errno == EINTR;
}

void LinkWatch::take(std::span<const std::byte> messages) noexcept {
  auto left = static_cast<unsigned>(messages.size());
  for (const auto* message = reinterpret_cast<const nlmsghdr*>(messages.data()); NLMSG_OK(message, left);
       message = NLMSG_NEXT(message, left)) {
    if (message->nlmsg_type == NLMSG_ERROR) // the answer where there is no such interface
      become(LinkState::removed);
    if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
      continue;
    const auto& link = *static_cast<const ifinfomsg*>(NLMSG_DATA(message));
    if (link.ifi_family != AF_UNSPEC) // of a bridge: what joins and leaves it
      continue;
    const bool ours = index_ != 0 && link.ifi_index == index_;
    const bool named = name_in(*message) == interface_;
    if (message->nlmsg_type == RTM_DELLINK ? ours || named : ours && !named) { // gone, or of another name
      index_ = 0;
      become(LinkState::removed);
    } else if (named) {
      if (!ours && index_ != 0)
        become(LinkState::removed);
      // The kernel tells of what happens within a second at once: a carrier may be back by then.
      if (const auto losses = carrier_losses_in(*message)) {
        if (ours && *losses != carrier_losses_)
          become(LinkState::no_carrier);
        carrier_losses_ = *losses;
      }
      index_ = link.ifi_index;
      become(state_of(link.ifi_flags));
    }
  }
}

void LinkWatch::become(LinkState state) noexcept {
  state_ = state;
  worst_ = std::max(worst_, state);
}

} // namespace orbweaver
