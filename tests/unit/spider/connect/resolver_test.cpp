// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/resolver.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "spider/jobs/job_parser.hpp"
#include "spider/plugins/library.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

/// Answers an A query with two addresses, one of them twice, and an AAAA query with one; or says that the name does
/// not exist.
Message two_and_one(const Message& query) {
  const bool ip6 = query.at(query.size() - 3) == 28;
  Message answer = query;
  answer.at(2) = 0x81;
  answer.at(3) = 0x80;
  answer.at(7) = ip6 ? 1 : 3;
  for (const std::uint8_t last : ip6 ? Message{1} : Message{2, 1, 2}) {
    const Message head{0xC0, 12, 0, static_cast<std::uint8_t>(ip6 ? 28 : 1), 0, 1, 0, 0, 0, 60, 0};
    answer.insert(answer.end(), head.begin(), head.end());
    const Message data =
        ip6 ? Message{16, 0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last} : Message{4, 192, 0, 2, last};
    answer.insert(answer.end(), data.begin(), data.end());
  }
  return answer;
}

Message no_such_name(const Message& query) {
  Message answer = query;
  answer.at(2) = 0x81;
  answer.at(3) = 0x83;
  return answer;
}

std::vector<std::string> name_server(const Server& server) {
  return {"127.0.0.1:" + std::to_string(server.port())};
}

Message no_records(const Message& query) {
  Message answer = query;
  answer.at(2) = 0x81;
  answer.at(3) = 0x80;
  return answer;
}

Message silence(const Message&) {
  return {};
}

/// What came of a look-up.
Resolver::Answer answer_to(const std::vector<std::string>& servers, const std::string& domain,
                           std::uint64_t timeout_ns = 700'000'000) {
  EventLoop loop;
  Resolver resolver(loop, servers, timeout_ns);
  std::optional<Resolver::Answer> answer;
  const auto under_way = resolver.look_up(domain, [&](Resolver::Answer&& given) {
    CHECK(!answer);
    answer = std::move(given);
  });
  CHECK(!answer);
  REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
  CHECK(answer->addresses.empty() == (answer->state != ConnectionState::ok));
  CHECK(answer->addresses.empty() != answer->problem.empty());
  return *answer;
}

std::vector<std::string> look_up(const std::vector<std::string>& servers, const std::string& domain) {
  std::vector<std::string> found;
  for (const auto& one : answer_to(servers, domain).addresses)
    found.push_back(address_text(one));
  return found;
}

/// What comes of a job.
Plugin::Outcome resolve(const std::vector<std::string>& servers, const char* line) {
  const auto plugin = plugins::dnsresolv().make();
  plugin->configure({"", {{"nameserver", servers}}});
  Job job;
  std::string padded(line);
  padded.reserve(padded.size() + 256);
  JobParser().ndjson(padded, job);
  EventLoop loop;
  std::optional<Plugin::Outcome> outcome;
  std::unique_ptr<Connection> work;
  work = plugin->work(loop, job, 700'000'000, [&](Plugin::Outcome&& given) {
    outcome = std::move(given);
    work.reset(); // as the engine does
  });
  REQUIRE(run_until(loop, [&] { return outcome.has_value(); }));
  return *outcome;
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("a domain's addresses come IPv4 first, each once") {
  UdpServer server(two_and_one);
  CHECK(look_up(name_server(server), "example.org") == Strings{"192.0.2.1", "192.0.2.2", "2001:db8::1"});
  CHECK(server.connections() == 2);
}

TEST_CASE("a name that does not exist, or is none, has no addresses") {
  UdpServer server(no_such_name);
  CHECK(look_up(name_server(server), "example.org").empty());
  CHECK(look_up(name_server(server), "a..b").empty());
  CHECK(look_up(name_server(server), std::string(300, 'x')).empty());
}

TEST_CASE("a look-up without addresses says why") {
  UdpServer without(no_such_name);
  CHECK(answer_to(name_server(without), "example.org").problem == "no such name");
  CHECK(answer_to(name_server(without), "a..b").state == ConnectionState::failed);
  UdpServer empty(no_records);
  CHECK(answer_to(name_server(empty), "example.org").problem == "no address");
  CHECK(answer_to(name_server(empty), "example.org").state == ConnectionState::failed);
}

TEST_CASE("a silent name server is asked three times, and its look-up ends in time") {
  UdpServer server(silence);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = answer_to(name_server(server), "example.org");
  CHECK(answer.state == ConnectionState::timeout);
  CHECK(answer.problem == "no answer in time");
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(500));
  CHECK(took < std::chrono::milliseconds(1500));
  CHECK(server.connections() == 6);
}

TEST_CASE("garbage from a name server is no answer") {
  UdpServer server([](const Message& query) {
    Message answer(query.size() * 3, 0xA5);
    answer.at(0) = query.at(0);
    answer.at(1) = query.at(1);
    return answer;
  });
  CHECK(look_up(name_server(server), "example.org").empty());
}

TEST_CASE("an address instead of a domain is its own answer") {
  UdpServer server(no_such_name);
  CHECK(look_up(name_server(server), "192.0.2.7") == Strings{"192.0.2.7"});
}

TEST_CASE("a look-up that is given up never completes, also when the resolver goes before its answer") {
  UdpServer server(silence);
  EventLoop loop;
  {
    Resolver resolver(loop, name_server(server), 700'000'000);
    auto given_up = resolver.look_up("example.org", [](Resolver::Answer&&) { FAIL("it completed"); });
    loop.run_once(std::chrono::milliseconds(20));
    given_up.reset();
    loop.run_once(std::chrono::milliseconds(20));
  }
  for (int i = 0; i < 10; ++i)
    loop.run_once(std::chrono::milliseconds(100));
}

TEST_CASE("many look-ups run at once") {
  UdpServer server(two_and_one);
  EventLoop loop;
  Resolver resolver(loop, name_server(server), 5'000'000'000);
  int found = 0;
  std::vector<std::unique_ptr<Connection>> under_way;
  for (int i = 0; i < 200; ++i)
    under_way.push_back(resolver.look_up(std::string("n").append(std::to_string(i)).append(".example.org"),
                                         [&](Resolver::Answer&& answer) { found += answer.addresses.size() == 3; }));
  run_until(loop, [&] { return found == 200; });
  CHECK(found == 200);
}

TEST_CASE("what names no name server is refused before anything else") {
  CHECK_THROWS_AS(Resolver::check({"not a server"}), UsageError);
  CHECK_THROWS_AS(plugins::dnsresolv().make()->configure({"", {{"nameserver", {"x:y:z"}}}}), UsageError);
  CHECK_NOTHROW(Resolver::check({}));
  CHECK_NOTHROW(Resolver::check({"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353"}));
}

TEST_CASE("dnsresolv writes a job once for each address, everything else in it as it came") {
  UdpServer server(two_and_one);
  const auto outcome =
      resolve(name_server(server), R"({"domain":"example.org", "rank": 1.50, "dip":null, "x":{"dip":[1, 2]}})");
  const std::string rest = R"(,"domain":"example.org","rank":1.50,"x":{"dip":[1, 2]})";
  CHECK(outcome.state == ConnectionState::ok);
  CHECK(outcome.problem.empty());
  Strings results;
  for (const auto& members : outcome.results)
    results.emplace_back(members.text());
  CHECK(results ==
        Strings{R"("dip":"192.0.2.1")" + rest, R"("dip":"192.0.2.2")" + rest, R"("dip":"2001:db8::1")" + rest});
}

TEST_CASE("dnsresolv writes nothing for a domain without addresses, and says why") {
  UdpServer without(no_such_name);
  const auto none = resolve(name_server(without), R"({"domain":"example.org"})");
  CHECK(none.results.empty());
  CHECK(none.state == ConnectionState::failed);
  CHECK(none.problem == "no such name");
  UdpServer silent(silence);
  CHECK(resolve(name_server(silent), R"({"domain":"example.org"})").state == ConnectionState::timeout);
}
