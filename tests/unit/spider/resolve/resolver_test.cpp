// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/resolver.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "spider/jobs/job_parser.hpp"
#include "spider/plugins/library.hpp"
#include "tests/unit/spider/connect/loopback_server.hpp"

using namespace orbweaver;
using namespace orbweaver::loopback;

namespace {

bool is_ip6(const Message& query) {
  return query.at(query.size() - 3) == 28;
}

Message with_rcode(const Message& query, std::uint8_t rcode) {
  Message answer = query;
  answer.at(2) = 0x81;
  answer.at(3) = static_cast<std::uint8_t>(0x80 | rcode);
  return answer;
}

/// Says that the name is an alias of another one, given as it is on the wire without its end, and nothing more; or of
/// that one what an A query asks for.
Message alias(const Message& query, const Message& of, bool and_address) {
  Message answer = query;
  const bool has_address = and_address && !is_ip6(query);
  answer.at(2) = 0x85;
  answer.at(3) = and_address ? 0x80 : 0; // who does not recurse leaves the rest to us
  answer.at(7) = has_address ? 2 : 1;
  const Message head{0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, static_cast<std::uint8_t>(of.size() + 1)};
  answer.insert(answer.end(), head.begin(), head.end());
  const std::size_t place = answer.size();
  answer.insert(answer.end(), of.begin(), of.end());
  answer.push_back(0);
  if (has_address) {
    const Message record{0xC0, static_cast<std::uint8_t>(place), 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9};
    answer.insert(answer.end(), record.begin(), record.end());
  }
  return answer;
}

/// Answers an A query with two addresses, one of them twice, and an AAAA query with one; or says that the name does
/// not exist.
Message two_and_one(const Message& query) {
  const bool ip6 = is_ip6(query);
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
  CHECK(answer_to(name_server(without), "example.org").problem == "NXDOMAIN from " + name_server(without).front());
  CHECK(answer_to(name_server(without), "a..b").state == ConnectionState::failed);
  CHECK(answer_to(name_server(without), "a..b").problem == "it is no name that can be looked up");
  UdpServer empty(no_records);
  CHECK(answer_to(name_server(empty), "example.org").problem ==
        "no address: NOERROR from " + name_server(empty).front());
  CHECK(answer_to(name_server(empty), "example.org").state == ConnectionState::failed);
}

TEST_CASE("a silent name server is asked three times, and its look-up ends in time") {
  UdpServer server(silence);
  const auto begin = std::chrono::steady_clock::now();
  const auto answer = answer_to(name_server(server), "example.org");
  CHECK(answer.state == ConnectionState::timeout);
  CHECK(answer.problem == "timed out: no answer from " + name_server(server).front());
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took >= std::chrono::milliseconds(500));
  CHECK(took < std::chrono::milliseconds(1500));
  CHECK(server.connections() == 6);
}

TEST_CASE("the next server is asked where one tells nothing, and what each said is told") {
  UdpServer broken([](const Message& query) { return with_rcode(query, 2); });
  UdpServer refusing([](const Message& query) { return with_rcode(query, 5); });
  UdpServer mute(silence);
  UdpServer good(two_and_one);
  const auto servers = [](std::initializer_list<const Server*> list) {
    Strings names;
    for (const Server* const one : list)
      names.push_back(name_server(*one).front());
    return names;
  };
  CHECK(look_up(servers({&broken, &refusing, &good}), "example.org").size() == 3);
  CHECK(look_up(servers({&mute, &good}), "example.org").size() == 3);
  const auto neither = servers({&broken, &refusing});
  auto answer = answer_to(neither, "example.org");
  CHECK(answer.state == ConnectionState::failed);
  CHECK(answer.problem == "SERVFAIL from " + neither[0] + ", REFUSED from " + neither[1]);
  const auto silent = servers({&broken, &mute});
  answer = answer_to(silent, "example.org");
  CHECK(answer.state == ConnectionState::timeout);
  CHECK(answer.problem == "SERVFAIL from " + silent[0] + ", timed out: no answer from " + silent[1]);
  answer = answer_to({"127.0.0.1:1"}, "example.org");
  CHECK(answer.state == ConnectionState::failed);
  CHECK(answer.problem == "connection refused by 127.0.0.1:1");
  UdpServer partly([](const Message& query) { return is_ip6(query) ? with_rcode(query, 2) : no_records(query); });
  const auto name = name_server(partly).front();
  CHECK(answer_to({name}, "example.org").problem ==
        "A: no address: NOERROR from " + name + "; AAAA: SERVFAIL from " + name);
}

TEST_CASE("aliases are followed, within an answer and by questions of our own, and not for ever") {
  UdpServer chain([](const Message& query) { return alias(query, {1, 'z'}, true); });
  CHECK(look_up(name_server(chain), "example.org") == Strings{"192.0.2.9"});
  UdpServer separate([](const Message& query) {
    return query.at(12) == 1 ? is_ip6(query) ? no_records(query) : two_and_one(query) : alias(query, {1, 'z'}, false);
  });
  CHECK(look_up(name_server(separate), "example.org") == Strings{"192.0.2.1", "192.0.2.2"});
  UdpServer loop([](const Message& query) { return alias(query, {1, 'z'}, false); });
  const auto name = name_server(loop).front();
  CHECK(answer_to({name}, "example.org").problem == "more than 16 aliases, the last from " + name + ": 'z.'");
}

TEST_CASE("the system's hosts come before the DNS, or behind it, as nsswitch.conf says") {
  UdpServer server(two_and_one);
  UdpServer without(no_such_name);
  const auto found = [](Server& dns, std::vector<HostSource> sources, const char* domain) {
    EventLoop loop;
    SystemHosts system{std::move(sources),
                       HostsFile("192.0.2.77 example.org other.example\n2001:db8::77 Example.Org\n")};
    Resolver resolver(loop, name_server(dns), 700'000'000, system);
    std::optional<Resolver::Answer> answer;
    const auto under_way = resolver.look_up(domain, [&](Resolver::Answer&& given) { answer = std::move(given); });
    REQUIRE(run_until(loop, [&] { return answer.has_value(); }));
    Strings words{answer->problem};
    for (const auto& one : answer->addresses)
      words.push_back(address_text(one));
    return words;
  };
  using enum HostSource;
  CHECK(found(server, {files, dns}, "example.org.") == Strings{"", "192.0.2.77", "2001:db8::77"});
  CHECK(found(server, {dns, files}, "example.org").size() == 4);
  CHECK(found(without, {dns, files}, "OTHER.example") == Strings{"", "192.0.2.77"});
  CHECK(found(server, {files}, "third.example") == Strings{"it is not in /etc/hosts"});
  CHECK(look_up(name_server(server), "example.org").size() == 3);
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
  for (const auto& [domain, address] :
       {std::pair{"192.0.2.7", "192.0.2.7"}, {"192.0.2.7.", "192.0.2.7"}, {"2001:DB8::7", "2001:db8::7"}})
    CHECK(look_up(name_server(server), domain) == Strings{address});
  CHECK(server.connections() == 0);
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
  CHECK(none.problem == "NXDOMAIN from " + name_server(without).front());
  UdpServer silent(silence);
  CHECK(resolve(name_server(silent), R"({"domain":"example.org"})").state == ConnectionState::timeout);
}
