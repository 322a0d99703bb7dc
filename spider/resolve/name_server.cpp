// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/name_server.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <ares.h>
#include <arpa/nameser.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <utility>

namespace orbweaver {

namespace {

/// How often c-ares is let look at its clock while it waits.
constexpr std::uint64_t tick_ns = 20'000'000;

constexpr std::uint16_t dns_port = 53;

/// "192.0.2.53", "[2001:db8::53]:5353".
std::string name_of(const ares_addr_port_node& node) {
  Address address{};
  if (node.family == AF_INET) {
    address.version = 4;
    std::memcpy(address.octets, &node.addr.addr4, 4);
  } else {
    address.version = 6;
    std::memcpy(address.octets, &node.addr.addr6, 16);
  }
  const std::string text = address_text(address);
  if (node.udp_port == 0 || node.udp_port == dns_port)
    return text;
  return (address.version == 4 ? text : "[" + text + "]") + ":" + std::to_string(node.udp_port);
}

std::vector<std::string> names_of(ares_channeldata* channel) {
  ares_addr_port_node* first = nullptr;
  std::vector<std::string> names;
  if (ares_get_servers_ports(channel, &first) != ARES_SUCCESS)
    return names;
  for (const auto* node = first; node; node = node->next)
    names.push_back(name_of(*node));
  ares_free_data(first);
  return names;
}

/// Why there is no message; empty where nothing came.
std::string problem_of(int status) {
  switch (status) {
  case ARES_ETIMEOUT:
    return {};
  case ARES_ECONNREFUSED:
    return "connection refused";
  default:
    return ares_strerror(status);
  }
}

} // namespace

/// What c-ares holds of a query: it cannot be told to forget a single one.
struct NameServer::Query::Held {
  NameServer& server;
  Query* owner; ///< null: nobody waits any more
};

NameServer::Query::Query(NameServer& server, const std::string& name, DnsType type, Answered answered)
    : held_(new Held{server, this}), answered_(std::move(answered)) { // NameServer::answered deletes it
  ++server.open_;
  ares_query(server.channel_.get(), name.c_str(), ns_c_in, static_cast<int>(type), &NameServer::answered, held_);
  server.schedule_tick();
}

NameServer::Query::~Query() {
  if (held_)
    held_->owner = nullptr;
}

void NameServer::ChannelDeleter::operator()(ares_channeldata* channel) const noexcept {
  ares_destroy(channel);
}

NameServer::Channel NameServer::open(ares_options options, int mask) {
  static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
  ares_channel made = nullptr;
  if (const int status = ready == ARES_SUCCESS ? ares_init_options(&made, &options, mask) : ready;
      status != ARES_SUCCESS)
    throw Error(std::string("the resolver cannot start: ") + ares_strerror(status));
  return Channel(made);
}

NameServer::NameServer(EventLoop& loop, const std::string& server, std::uint64_t timeout_ns) : loop_(loop) {
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_STAYOPEN | ARES_FLAG_NOCHECKRESP; // errors are answers too
  options.timeout = static_cast<int>(std::max<std::uint64_t>(timeout_ns / 1'000'000, 1));
  options.tries = 1;
  options.sock_state_cb = &NameServer::watch_socket;
  options.sock_state_cb_data = this;
  channel_ = open(options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  const bool is_one = server.find(',') == server.npos;
  if (!is_one || ares_set_servers_ports_csv(channel_.get(), server.c_str()) != ARES_SUCCESS)
    throw UsageError("'" + server + "' names no name server: give ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT");
  const auto names = names_of(channel_.get());
  name_ = names.empty() ? server : names.front();
}

NameServer::~NameServer() {
  channel_.reset(); // calls back for each query
  loop_.cancel(tick_);
}

void NameServer::schedule_tick() {
  if (tick_ == 0 && open_ > 0)
    tick_ = loop_.call_at(monotonic_ns() + tick_ns, [this] {
      tick_ = 0;
      ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
      schedule_tick();
    });
}

void NameServer::answered(void* argument, int status, int, unsigned char* message, int octets) noexcept {
  const std::unique_ptr<Query::Held> held(static_cast<Query::Held*>(argument));
  --held->server.open_;
  if (!held->owner)
    return;
  held->owner->held_ = nullptr;
  const bool has_message = message && octets > 0;
  held->owner->answered_({message, has_message ? static_cast<std::size_t>(octets) : 0},
                         has_message ? std::string() : problem_of(status));
}

void NameServer::watch_socket(void* self, int socket, int readable, int writable) noexcept {
  auto& server = *static_cast<NameServer*>(self);
  const std::uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  try {
    if (events == 0) {
      server.loop_.forget(socket);
      server.watched_.erase(socket);
    } else if (!server.watched_.insert(socket).second) {
      server.loop_.change(socket, events);
    } else {
      server.loop_.watch(socket, events, [&server, socket](std::uint32_t ready) {
        const bool failed = ready & (EPOLLERR | EPOLLHUP);
        ares_process_fd(server.channel_.get(), failed || ready & EPOLLIN ? socket : ARES_SOCKET_BAD,
                        failed || ready & EPOLLOUT ? socket : ARES_SOCKET_BAD);
      });
    }
  } catch (const std::exception&) { // the look-ups end by their timeout
  }
}

std::vector<std::string> system_name_servers() {
  return names_of(NameServer::open({}, 0).get());
}

} // namespace orbweaver
