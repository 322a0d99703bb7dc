// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/route_finder.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/stream/records/job_record.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr timeval patience{2, 0};

/// A request of rtnetlink: a header, a struct of the kind, attributes.
template <typename Kind>
class Message {
public:
  Message(std::uint16_t type, std::uint32_t sequence, const Kind& kind) {
    header().nlmsg_len = NLMSG_LENGTH(sizeof kind);
    header().nlmsg_type = type;
    header().nlmsg_flags = NLM_F_REQUEST;
    header().nlmsg_seq = sequence;
    std::memcpy(NLMSG_DATA(&header()), &kind, sizeof kind);
  }

  void add(std::uint16_t type, const void* value, std::size_t octets) {
    auto* const attribute = reinterpret_cast<rtattr*>(octets_.data() + header().nlmsg_len);
    attribute->rta_type = type;
    attribute->rta_len = static_cast<std::uint16_t>(RTA_LENGTH(octets));
    std::memcpy(RTA_DATA(attribute), value, octets);
    header().nlmsg_len += RTA_SPACE(octets);
  }

  [[nodiscard]] const nlmsghdr& header() const noexcept { return *reinterpret_cast<const nlmsghdr*>(octets_.data()); }

private:
  [[nodiscard]] nlmsghdr& header() noexcept { return *reinterpret_cast<nlmsghdr*>(octets_.data()); }

  alignas(nlmsghdr) std::array<std::byte, 256> octets_{};
};

/// The attributes of a message, one after another: take(type, data, octets).
template <typename Kind, typename Take>
void for_each_attribute(const nlmsghdr& message, Take&& take) {
  auto left = static_cast<int>(message.nlmsg_len - NLMSG_SPACE(sizeof(Kind)));
  const auto* attribute =
      reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(&message) + NLMSG_SPACE(sizeof(Kind)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
    take(attribute->rta_type, RTA_DATA(attribute), RTA_PAYLOAD(attribute));
}

using Buffer = std::array<std::byte, 32768>;

/// Sends a request and takes the answer to it into `buffer`: of type `wanted` and whole, or a number of errno.
/// Throws Error.
int exchange(int socket, const nlmsghdr& request, std::uint16_t wanted, std::size_t least, std::byte* buffer,
             std::size_t room) {
  if (send(socket, &request, request.nlmsg_len, 0) < 0)
    throw Error("cannot ask the kernel for a route: " + errno_text());
  while (true) {
    const ssize_t size = recv(socket, buffer, room, 0);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      throw Error("the kernel does not answer which route a target has: " + errno_text());
    const auto& answer = *reinterpret_cast<const nlmsghdr*>(buffer);
    if (!NLMSG_OK(&answer, static_cast<std::uint32_t>(size)) || answer.nlmsg_seq != request.nlmsg_seq)
      continue; // to a question of before
    if (answer.nlmsg_type == NLMSG_ERROR && answer.nlmsg_len >= NLMSG_LENGTH(sizeof(nlmsgerr)))
      return -static_cast<const nlmsgerr*>(NLMSG_DATA(&answer))->error;
    if (answer.nlmsg_type == wanted && answer.nlmsg_len >= least)
      return 0;
  }
}

bool is_link_local(const Address& address) noexcept {
  return address.version == 6 && address.octets[0] == 0xFE && (address.octets[1] & 0xC0) == 0x80; // RFC 4291, 2.4
}

std::size_t octets_of(const Address& address) noexcept {
  return address.version == 4 ? 4 : 16;
}

/// As `ip route get` has it: which of the routes that lead nowhere it is.
std::string without_route(int error) {
  switch (error) {
  case ENETUNREACH:
    return "there is no route to it";
  case EHOSTUNREACH:
    return "its route says unreachable";
  case EACCES:
    return "its route says prohibited";
  case EINVAL:
    return "its route is a black hole";
  default:
    return "it has no route: " + errno_text(error);
  }
}

} // namespace

/// What the kernel says of a target.
struct RouteFinder::Found {
  int error = 0;
  unsigned type = RTN_UNSPEC;
  int interface = 0; ///< index
  Address source{};
};

RouteFinder::RouteFinder(std::string interface, const Address& source4, const Address& source6)
    : interface_(std::move(interface)), index_(static_cast<int>(if_nametoindex(interface_.c_str()))), source4_(source4),
      source6_(source6), socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
  if (!socket_)
    throw Error("cannot ask the kernel for routes: " + errno_text());
  setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (connect(socket_.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) != 0) // from nobody else
    throw Error("cannot ask the kernel for routes: " + errno_text());
}

RouteFinder::Found RouteFinder::ask(const Address& target, const Address& source, std::uint8_t protocol,
                                    std::uint16_t port) {
  rtmsg question{};
  question.rtm_family = target.version == 4 ? AF_INET : AF_INET6;
  question.rtm_dst_len = static_cast<unsigned char>(8 * octets_of(target));
  question.rtm_src_len = source.version == 0 ? 0 : question.rtm_dst_len;
  Message message(RTM_GETROUTE, ++sequence_, question);
  message.add(RTA_DST, target.octets, octets_of(target));
  if (source.version != 0)
    message.add(RTA_SRC, source.octets, octets_of(source));
  const std::uint16_t port_on_wire = htons(port);
  message.add(RTA_IP_PROTO, &protocol, sizeof protocol);
  message.add(RTA_DPORT, &port_on_wire, sizeof port_on_wire);
  if (is_link_local(target))
    message.add(RTA_OIF, &index_, sizeof index_);

  alignas(nlmsghdr) Buffer buffer;
  Found found;
  found.source = source;
  found.error = exchange(socket_.get(), std::as_const(message).header(), RTM_NEWROUTE, NLMSG_SPACE(sizeof(rtmsg)),
                         buffer.data(), buffer.size());
  if (found.error != 0)
    return found;
  const auto& answer = *reinterpret_cast<const nlmsghdr*>(buffer.data());
  found.type = static_cast<const rtmsg*>(NLMSG_DATA(&answer))->rtm_type;
  for_each_attribute<rtmsg>(answer, [&](unsigned type, const void* value, std::size_t octets) {
    if (type == RTA_OIF && octets == sizeof found.interface) {
      std::memcpy(&found.interface, value, octets);
    } else if (type == RTA_PREFSRC && octets == octets_of(target) && source.version == 0) {
      found.source.version = target.version;
      std::memcpy(found.source.octets, value, octets);
    }
  });
  return found;
}

std::string RouteFinder::name_of(int index) {
  ifinfomsg question{};
  question.ifi_index = index;
  const Message message(RTM_GETLINK, ++sequence_, question);
  alignas(nlmsghdr) Buffer buffer;
  std::string name = "an interface that is gone";
  if (exchange(socket_.get(), message.header(), RTM_NEWLINK, NLMSG_SPACE(sizeof(ifinfomsg)), buffer.data(),
               buffer.size()) != 0)
    return name;
  for_each_attribute<ifinfomsg>(
      *reinterpret_cast<const nlmsghdr*>(buffer.data()), [&](unsigned type, const void* value, std::size_t octets) {
        if (type == IFLA_IFNAME)
          name.assign(static_cast<const char*>(value), strnlen(static_cast<const char*>(value), octets));
      });
  return name;
}

Route RouteFinder::to(const Address& target, std::uint8_t protocol, std::uint16_t port) {
  const Address& given = target.version == 4 ? source4_ : source6_;
  const Found found = ask(target, given, protocol, port);
  const std::string from = given.version == 0 ? "" : " from " + address_text(given);
  if (found.error != 0)
    return {{}, static_cast<std::uint16_t>(found.error), without_route(found.error) + from};
  switch (found.type) {
  case RTN_MULTICAST:
  case RTN_BROADCAST:
    return {{}, EADDRNOTAVAIL, "it is the address of many hosts, and of no path"};
  case RTN_UNREACHABLE:
    return {{}, EHOSTUNREACH, without_route(EHOSTUNREACH) + from};
  default:
    break;
  }
  if (found.interface != index_) {
    const std::string name = name_of(found.interface);
    if (name != interface_)
      return {{}, ConnectionRecord::other_interface, "its route leaves by " + name + from + ", not by " + interface_};
    index_ = found.interface;
  }
  if (found.source.version == 0)
    return {{}, EADDRNOTAVAIL, "this machine has no address to reach it from"};
  return {found.source};
}

} // namespace orbweaver
