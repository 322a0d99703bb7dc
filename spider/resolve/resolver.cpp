// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/resolver.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"
#include "spider/resolve/question.hpp"

#include <optional>
#include <utility>

namespace orbweaver {

namespace {

/// What stands for itself: an address, with a dot at its end too.
Address literal_address(std::string_view domain) noexcept {
  if (domain.ends_with('.'))
    domain.remove_suffix(1);
  return parse_address(domain);
}

/// What the questions for both families come to.
Resolver::Answer both(Resolver::Answer a, Resolver::Answer aaaa) {
  Resolver::Answer answer;
  answer.addresses = std::move(a.addresses);
  answer.addresses.insert(answer.addresses.end(), aaaa.addresses.begin(), aaaa.addresses.end());
  sort_addresses(answer.addresses);
  if (!answer.addresses.empty())
    return answer;
  const bool late = a.state == ConnectionState::timeout || aaaa.state == ConnectionState::timeout;
  answer.state = late ? ConnectionState::timeout : ConnectionState::failed;
  answer.problem = a.problem == aaaa.problem ? a.problem : "A: " + a.problem + "; AAAA: " + aaaa.problem;
  return answer;
}

} // namespace

class Resolver::LookUp final : public Connection {
public:
  LookUp(Resolver& resolver, const std::string& domain, Done&& done)
      : resolver_(resolver), domain_(domain), done_(std::move(done)) {
    timer_ = resolver_.loop_.call_soon([this] { begin(); });
  }
  ~LookUp() override { resolver_.loop_.cancel(timer_); }

private:
  void begin() {
    timer_ = 0;
    if (const Address address = literal_address(domain_); address.version != 0)
      return complete({{address}, ConnectionState::ok, {}});
    if (make_dns_query(domain_).empty())
      return complete({{}, ConnectionState::failed, "it is no name that can be looked up"});
    timer_ = resolver_.loop_.call_at(monotonic_ns() + resolver_.timeout_ns_, [this] {
      timer_ = 0;
      complete(both(a_->answer(), aaaa_->answer()));
    });
    next_source();
  }

  void next_source() {
    const auto& sources = resolver_.hosts_.sources;
    if (source_ == sources.size())
      return complete(std::move(last_));
    if (sources[source_++] == HostSource::dns)
      return ask();
    if (auto addresses = resolver_.hosts_.hosts.find(domain_); !addresses.empty())
      return complete({std::move(addresses), ConnectionState::ok, {}});
    if (last_.problem.empty())
      last_ = {{}, ConnectionState::failed, "it is not in /etc/hosts"};
    next_source();
  }

  void ask() {
    const auto question = [this](DnsType type) {
      return std::make_unique<Question>(resolver_.loop_, resolver_.servers_, domain_, type, resolver_.timeout_ns_,
                                        [this] { answered(); });
    };
    a_ = question(DnsType::a);
    aaaa_ = question(DnsType::aaaa);
  }

  void answered() {
    if (!a_->is_over() || !aaaa_->is_over())
      return;
    last_ = both(a_->answer(), aaaa_->answer());
    last_.addresses.empty() ? next_source() : complete(std::move(last_));
  }

  void complete(Answer answer) {
    resolver_.loop_.cancel(std::exchange(timer_, 0));
    a_.reset(), aaaa_.reset(); // their time may be over in the same moment
    const Done done = std::move(done_);
    done(std::move(answer)); // may destroy this
  }

  Resolver& resolver_;
  std::string domain_;
  Done done_;
  std::size_t source_ = 0; ///< to be asked next
  std::unique_ptr<Question> a_, aaaa_;
  Answer last_; ///< what the last source said
  EventLoop::Timer timer_ = 0;
};

Resolver::Resolver(EventLoop& loop, const std::vector<std::string>& name_servers, std::uint64_t timeout_ns,
                   SystemHosts hosts)
    : loop_(loop), timeout_ns_(timeout_ns), hosts_(std::move(hosts)) {
  for (const auto& server : name_servers.empty() ? system_name_servers() : name_servers)
    servers_.push_back(std::make_unique<NameServer>(loop, server, timeout_ns));
  if (servers_.empty())
    throw Error("there is no name server to ask: give --nameserver ADDRESS, or name one in /etc/resolv.conf");
}

Resolver::~Resolver() = default;

void Resolver::check(const std::vector<std::string>& name_servers) {
  EventLoop loop;
  for (const auto& server : name_servers)
    static_cast<void>(NameServer(loop, server, 1));
}

std::unique_ptr<Connection> Resolver::look_up(const std::string& domain, Done done) {
  return std::make_unique<LookUp>(*this, domain, std::move(done));
}

} // namespace orbweaver
