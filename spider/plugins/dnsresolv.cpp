// SPDX-License-Identifier: GPL-3.0-or-later
// dnsresolv — looks a job's domain up and writes the job once for each address, with it as `dip`: jobs for the other
// plugins. As the system does, or with --nameserver in the DNS alone. Makes no connections.
#include "common/address.hpp"
#include "common/json/members.hpp"
#include "spider/plugins/library.hpp"
#include "spider/resolve/resolver.hpp"

namespace orbweaver::plugins {

namespace {

/// A job's members without any `dip`, as they came.
std::string members_without_address(const Job& job) {
  std::vector<json::Member> all;
  static_cast<void>(json::split_members(job.members, all)); // they were checked when the job was read
  std::string members;
  for (const auto& [key, value] : all)
    if (key != "dip")
      json::append_member(members, key, value);
  return members;
}

class DnsResolv final : public Plugin {
public:
  void configure(const PluginArguments& arguments) override {
    if (const auto given = arguments.values.find("nameserver"); given != arguments.values.end())
      name_servers_ = given->second;
    Resolver::check(name_servers_);
  }

  [[nodiscard]] unsigned connections() const override { return 0; }

  std::unique_ptr<Connection> work(EventLoop& loop, const Job& job, std::uint64_t timeout_ns, Done done) override {
    auto resolver = resolver_.lock();
    if (!resolver) {
      resolver = name_servers_.empty()
                     ? std::make_shared<Resolver>(loop, name_servers_, timeout_ns, SystemHosts::read())
                     : std::make_shared<Resolver>(loop, name_servers_, timeout_ns);
      resolver_ = resolver;
    }
    return std::make_unique<Work>(std::move(resolver), job, std::move(done));
  }

private:
  class Work final : public Connection {
  public:
    Work(std::shared_ptr<Resolver> resolver, const Job& job, Done&& done)
        : resolver_(std::move(resolver)), members_(members_without_address(job)), done_(std::move(done)),
          look_up_(resolver_->look_up(job.domain, [this](Resolver::Answer&& answer) { found(std::move(answer)); })) {}

  private:
    void found(Resolver::Answer&& answer) {
      Outcome outcome{{}, answer.state, std::move(answer.problem)};
      for (const Address& address : answer.addresses) {
        auto& members = outcome.results.emplace_back();
        members.add("dip", address_text(address));
        members.add_members(members_);
      }
      const Done done = std::move(done_);
      done(std::move(outcome)); // may destroy this
    }

    std::shared_ptr<Resolver> resolver_;
    std::string members_;
    Done done_;
    std::unique_ptr<Connection> look_up_; ///< goes before the resolver
  };

  std::vector<std::string> name_servers_;
  std::weak_ptr<Resolver> resolver_; ///< shared by the jobs under way: it ends with them, and so before the loop
};

} // namespace

PluginEntry dnsresolv() {
  PluginDescription description;
  description.name = "dnsresolv";
  description.summary = "Looks domains up: writes each job once for each address";
  description.version = "1.0.0";
  description.model = Model::desynchronized;
  PluginOption name_server;
  name_server.name = "nameserver";
  name_server.help = "Name server to ask, and nothing else (/etc/hosts and those of the system)";
  name_server.type_name = "ADDRESS[:PORT]";
  name_server.several = true;
  description.options = {name_server};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<DnsResolv>(); }};
}

} // namespace orbweaver::plugins
