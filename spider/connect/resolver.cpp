// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/resolver.hpp"

#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <ares.h>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unordered_set>
#include <utility>

namespace orbweaver {

namespace {

constexpr int tries = 3;
/// c-ares doubles the time of a try with each round through its servers (1 + 2 + 4 parts).
constexpr std::uint64_t try_parts = 7;
/// How often c-ares is let look at its clock while it waits.
constexpr std::uint64_t tick_ns = 20'000'000;

struct ChannelDeleter {
  void operator()(ares_channeldata* channel) const noexcept { ares_destroy(channel); }
};
using ChannelHandle = std::unique_ptr<ares_channeldata, ChannelDeleter>;

struct AddressesDeleter {
  void operator()(ares_addrinfo* addresses) const noexcept { ares_freeaddrinfo(addresses); }
};

ChannelHandle make_channel(ares_options options, int mask, const std::vector<std::string>& name_servers) {
  static const int ready = ares_library_init(ARES_LIB_INIT_ALL);
  ares_channel made = nullptr;
  if (const int status = ready == ARES_SUCCESS ? ares_init_options(&made, &options, mask) : ready;
      status != ARES_SUCCESS)
    throw Error(std::string("the resolver cannot start: ") + ares_strerror(status));
  ChannelHandle channel(made);
  std::string list;
  for (const auto& server : name_servers)
    list += (list.empty() ? "" : ",") + server;
  if (!list.empty() && ares_set_servers_ports_csv(made, list.c_str()) != ARES_SUCCESS)
    throw UsageError("'" + list + "' names no name server: give ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT");
  return channel;
}

/// IPv4 first, each address once.
std::vector<Address> addresses_of(const ares_addrinfo* found) {
  std::vector<Address> addresses;
  for (const auto* node = found ? found->nodes : nullptr; node; node = node->ai_next) {
    Address address{};
    if (node->ai_family == AF_INET) {
      address.version = 4;
      std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in*>(node->ai_addr)->sin_addr, 4);
    } else if (node->ai_family == AF_INET6) {
      address.version = 6;
      std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in6*>(node->ai_addr)->sin6_addr, 16);
    } else {
      continue;
    }
    addresses.push_back(address);
  }
  const auto order = [](const Address& a, const Address& b) {
    return a.version != b.version ? a.version < b.version : std::memcmp(a.octets, b.octets, sizeof a.octets) < 0;
  };
  const auto equal = [](const Address& a, const Address& b) { return std::memcmp(&a, &b, sizeof a) == 0; };
  std::sort(addresses.begin(), addresses.end(), order);
  addresses.erase(std::unique(addresses.begin(), addresses.end(), equal), addresses.end());
  return addresses;
}

Resolver::Answer no_answer_in_time() {
  return {{}, ConnectionState::timeout, "no answer in time"};
}

/// What c-ares found, or why it found nothing.
Resolver::Answer answer_of(int status, const ares_addrinfo* found) {
  if (status == ARES_SUCCESS)
    if (auto addresses = addresses_of(found); !addresses.empty())
      return {std::move(addresses), ConnectionState::ok, {}};
  switch (status) {
  case ARES_SUCCESS:
  case ARES_ENODATA:
    return {{}, ConnectionState::failed, "no address"};
  case ARES_ENOTFOUND:
    return {{}, ConnectionState::failed, "no such name"};
  case ARES_ETIMEOUT:
    return no_answer_in_time();
  default:
    return {{}, ConnectionState::failed, ares_strerror(status)};
  }
}

} // namespace

/// c-ares's channel on the event loop: c-ares says which sockets it waits for, and looks at its clock by itself.
class Resolver::Channel {
public:
  class LookUp;

  /// What c-ares holds of a look-up: it cannot be told to forget a single one.
  struct Query {
    Channel& channel;
    LookUp* owner; ///< null: nobody waits any more
  };

  Channel(EventLoop& loop, const std::vector<std::string>& name_servers, std::uint64_t timeout_ns)
      : loop_(loop), timeout_ns_(timeout_ns) {
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_STAYOPEN;
    options.timeout = static_cast<int>(std::max<std::uint64_t>(timeout_ns / 1'000'000 / try_parts, 1));
    options.tries = tries;
    options.lookups = lookups_;
    options.sock_state_cb = &Channel::watch_socket;
    options.sock_state_cb_data = this;
    handle_ = make_channel(
        options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB,
        name_servers);
  }
  ~Channel() {
    handle_.reset(); // calls back for each query
    loop_.cancel(tick_);
  }

  [[nodiscard]] EventLoop& loop() noexcept { return loop_; }
  [[nodiscard]] std::uint64_t timeout_ns() const noexcept { return timeout_ns_; }

  /// May answer at once.
  void ask(const std::string& domain, Query* query);

private:
  static void watch_socket(void* self, ares_socket_t socket, int readable, int writable) noexcept;
  static void answered(void* query, int status, int timeouts, ares_addrinfo* found) noexcept;

  void schedule_tick() {
    if (tick_ == 0 && open_ > 0)
      tick_ = loop_.call_at(monotonic_ns() + tick_ns, [this] {
        tick_ = 0;
        ares_process_fd(handle_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        schedule_tick();
      });
  }

  char lookups_[2] = "b"; ///< the DNS alone, no hosts file
  EventLoop& loop_;
  std::uint64_t timeout_ns_;
  std::unordered_set<int> watched_;
  std::size_t open_ = 0; ///< queries that c-ares holds
  EventLoop::Timer tick_ = 0;
  ChannelHandle handle_;
};

class Resolver::Channel::LookUp final : public Connection {
public:
  LookUp(Channel& channel, const std::string& domain, Done&& done) : loop_(channel.loop()), done_(std::move(done)) {
    timer_ = loop_.call_at(monotonic_ns() + channel.timeout_ns(), [this] { complete(); });
    query_ = new Query{channel, this}; // Channel::answered deletes it
    channel.ask(domain, query_);
  }
  ~LookUp() override {
    loop_.cancel(timer_);
    abandon();
  }

  /// c-ares is done; its callback is no place to call others from.
  void answered(Answer&& answer) {
    answer_ = std::move(answer);
    query_ = nullptr;
    loop_.cancel(timer_);
    timer_ = loop_.call_soon([this] { complete(); });
  }

private:
  void abandon() noexcept {
    if (query_)
      query_->owner = nullptr;
    query_ = nullptr;
  }

  void complete() {
    abandon();
    const Done done = std::move(done_);
    done(std::move(answer_)); // may destroy this
  }

  EventLoop& loop_;
  Done done_;
  Query* query_ = nullptr;
  EventLoop::Timer timer_ = 0;
  Answer answer_ = no_answer_in_time(); ///< until there is one
};

void Resolver::Channel::ask(const std::string& domain, Query* query) {
  ++open_;
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(handle_.get(), domain.c_str(), nullptr, &hints, &Channel::answered, query);
  schedule_tick();
}

void Resolver::Channel::answered(void* argument, int status, int, ares_addrinfo* found) noexcept {
  const std::unique_ptr<ares_addrinfo, AddressesDeleter> owned(found);
  const std::unique_ptr<Query> query(static_cast<Query*>(argument));
  --query->channel.open_;
  if (query->owner)
    query->owner->answered(answer_of(status, found));
}

void Resolver::Channel::watch_socket(void* self, ares_socket_t socket, int readable, int writable) noexcept {
  auto& channel = *static_cast<Channel*>(self);
  const std::uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  try {
    if (events == 0) {
      channel.loop_.forget(socket);
      channel.watched_.erase(socket);
    } else if (!channel.watched_.insert(socket).second) {
      channel.loop_.change(socket, events);
    } else {
      channel.loop_.watch(socket, events, [&channel, socket](std::uint32_t ready) {
        const bool failed = ready & (EPOLLERR | EPOLLHUP);
        ares_process_fd(channel.handle_.get(), failed || ready & EPOLLIN ? socket : ARES_SOCKET_BAD,
                        failed || ready & EPOLLOUT ? socket : ARES_SOCKET_BAD);
      });
    }
  } catch (const std::exception&) { // the look-ups end by their timeout
  }
}

Resolver::Resolver(EventLoop& loop, const std::vector<std::string>& name_servers, std::uint64_t timeout_ns)
    : channel_(std::make_unique<Channel>(loop, name_servers, timeout_ns)) {}

Resolver::~Resolver() = default;

void Resolver::check(const std::vector<std::string>& name_servers) {
  make_channel({}, 0, name_servers);
}

std::unique_ptr<Connection> Resolver::look_up(const std::string& domain, Done done) {
  return std::make_unique<Channel::LookUp>(*channel_, domain, std::move(done));
}

} // namespace orbweaver
