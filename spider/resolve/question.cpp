// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/question.hpp"

#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::size_t rounds = 3;
/// The time of a round doubles with each (1 + 2 + 4 parts).
constexpr std::uint64_t time_parts = 7;
/// As many as other resolvers follow (RFC 1034, 3.6.2, says only that there must be a bound).
constexpr unsigned max_aliases = 16;

/// What lets another server's answer be asked for.
bool tells_nothing(unsigned rcode) noexcept {
  constexpr unsigned no_error = 0, no_such_name = 3;
  return rcode != no_error && rcode != no_such_name;
}

void join(std::string& words, const std::string& more) {
  words += (words.empty() ? "" : ", ") + more;
}

} // namespace

Question::Question(EventLoop& loop, const Servers& servers, std::string name, DnsType type, std::uint64_t timeout_ns,
                   std::function<void()> done)
    : loop_(loop), servers_(servers), name_(std::move(name)), type_(type), timeout_ns_(timeout_ns),
      done_(std::move(done)) {
  begin();
}

Question::~Question() {
  loop_.cancel(arrival_);
  loop_.cancel(next_);
}

Resolver::Answer Question::answer() const {
  if (is_over_)
    return answer_;
  std::string failures, silent;
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (!failures_[i].empty())
      join(failures, failures_[i]);
    else if (i < asked_)
      join(silent, servers_[i]->name());
  if (silent.empty())
    return {{}, ConnectionState::failed, failures};
  join(failures, "timed out: no answer from " + silent);
  return {{}, ConnectionState::timeout, failures};
}

void Question::begin() {
  queries_.clear();
  arrivals_.clear();
  failures_.assign(servers_.size(), {});
  asked_ = 0;
  loop_.cancel(next_);
  next_ = loop_.call_soon([this] {
    next_ = 0;
    ask_next();
  });
}

void Question::ask_next() {
  loop_.cancel(std::exchange(next_, 0));
  const std::size_t count = servers_.size();
  while (asked_ < rounds * count && !failures_[asked_ % count].empty())
    ++asked_;
  if (asked_ >= rounds * count)
    return end(answer());
  const std::size_t server = asked_ % count;
  const std::uint64_t patience_ns = (timeout_ns_ << (asked_ / count)) / time_parts / count;
  ++asked_;
  next_ = loop_.call_at(monotonic_ns() + patience_ns, [this] {
    next_ = 0;
    ask_next();
  });
  queries_.push_back(std::make_unique<NameServer::Query>(
      *servers_[server], name_, type_,
      [this, server](auto message, const std::string& problem) { arrived(server, message, problem); }));
}

/// c-ares's callback is no place to call others from.
void Question::arrived(std::size_t server, std::span<const std::uint8_t> message, const std::string& problem) {
  arrivals_.push_back({server, {message.begin(), message.end()}, problem});
  if (arrival_ == 0)
    arrival_ = loop_.call_soon([this] { take_arrival(); });
}

void Question::take_arrival() {
  arrival_ = 0;
  if (is_over_ || arrivals_.empty())
    return;
  const auto [server, message, problem] = std::move(arrivals_.front());
  arrivals_.pop_front();
  if (!arrivals_.empty())
    arrival_ = loop_.call_soon([this] { take_arrival(); });
  if (message.empty()) {
    if (!problem.empty())
      failed(server, problem + " by " + servers_[server]->name());
    return;
  }
  if (const auto told = read_dns_addresses(message, name_, type_))
    take(server, *told);
  else
    failed(server, "no DNS message from " + servers_[server]->name());
}

void Question::take(std::size_t server, const DnsAddresses& told) {
  const std::string from = " from " + servers_[server]->name();
  if (tells_nothing(told.rcode))
    return failed(server, rcode_name(told.rcode) + from);
  const std::string alias = told.alias.empty() ? "" : " (an alias of '" + told.alias + "')";
  if (!told.addresses.empty())
    return end({told.addresses, ConnectionState::ok, {}});
  if (told.rcode != 0)
    return end({{}, ConnectionState::failed, rcode_name(told.rcode) + from + alias});
  if (told.alias.empty() || told.is_recursive) // it has looked
    return end({{}, ConnectionState::failed, "no address: NOERROR" + from + alias});
  if (++aliases_ > max_aliases)
    return end({{},
                ConnectionState::failed,
                "more than " + std::to_string(max_aliases) + " aliases, the last" + from + ": '" + told.alias + "'"});
  name_ = told.alias;
  begin();
}

void Question::failed(std::size_t server, std::string words) {
  failures_[server] = std::move(words);
  const bool is_asked_last = (asked_ - 1) % servers_.size() == server;
  if (std::ranges::none_of(failures_, [](const auto& failure) { return failure.empty(); }))
    end(answer());
  else if (is_asked_last)
    ask_next();
}

void Question::end(Resolver::Answer&& answer) {
  answer_ = std::move(answer);
  is_over_ = true;
  loop_.cancel(std::exchange(next_, 0));
  queries_.clear();
  const auto done = std::move(done_);
  done(); // may destroy this
}

} // namespace orbweaver
