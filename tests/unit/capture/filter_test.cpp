// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/filter.hpp"
#include "common/error.hpp"
#include "tests/support/packet_builder.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::craft;

namespace {

bool passes(const std::string& expression, const Bytes& octets, orbweaver::LinkType link) {
  const auto length = static_cast<std::uint32_t>(octets.size());
  return BpfFilter(expression).matches({octets.data(), 0, length, length, link});
}

} // namespace

TEST_CASE("one filter matches the same packet behind different link headers") {
  const auto packet = ipv4("10.0.0.1", "10.0.0.2") / tcp(1234, 80).syn();
  const Bytes bare = packet;
  const Bytes framed = ethernet() / packet;
  CHECK(passes("tcp port 80 and host 10.0.0.2", bare, orbweaver::LinkType::raw_ip));
  CHECK(passes("tcp port 80 and host 10.0.0.2", framed, orbweaver::LinkType::ethernet));
  CHECK_FALSE(passes("udp or port 81", bare, orbweaver::LinkType::raw_ip));
  CHECK_FALSE(passes("udp or port 81", framed, orbweaver::LinkType::ethernet));
}

TEST_CASE("a filter that has no meaning for a link type matches none of its frames, and complains of the first one") {
  const Bytes octets = ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2);
  const auto length = static_cast<std::uint32_t>(octets.size());
  const BpfFilter filter("inbound"); // a cooked header tells directions
  CHECK(filter.complaint().empty());
  CHECK(filter.matches({octets.data(), 0, length, length, orbweaver::LinkType::linux_sll}));
  CHECK(filter.complaint().empty());
  CHECK_FALSE(filter.matches({octets.data(), 0, length, length, orbweaver::LinkType::raw_ip}));
  CHECK(filter.complaint().starts_with("filter \"inbound\": "));
}

TEST_CASE("a filter is compiled for each link type") {
  const auto packet = ipv4("10.0.0.1", "10.0.0.2") / udp(1, 2);
  CHECK_FALSE(passes("ether broadcast or ip", Bytes(packet), orbweaver::LinkType::raw_ip));
  CHECK(passes("ether broadcast or ip", Bytes(ethernet() / packet), orbweaver::LinkType::ethernet));
}

TEST_CASE("a filter never reads behind the captured octets") {
  const Bytes framed = ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1234, 80);
  const BpfFilter filter("tcp dst port 80");
  for (std::uint32_t length = 0; length < 38; ++length) {
    const Bytes cut(framed.begin(), framed.begin() + length);
    CHECK_FALSE(filter.matches({cut.data(), 0, length, 1500, orbweaver::LinkType::ethernet}));
  }
}

TEST_CASE("a wrong expression is refused with its text and libpcap's reason") {
  try {
    BpfFilter filter("tcp prot 80");
    FAIL("accepted");
  } catch (const UsageError& error) {
    const std::string text = error.what();
    CHECK(text.find("filter \"tcp prot 80\": ") == 0);
    CHECK(text.size() > std::string("filter \"tcp prot 80\": ; see man pcap-filter").size());
  }
}

namespace {

/// What is said of a filter that none of three such frames pass.
std::string hint(const std::string& expression, const Bytes& octets) {
  const auto length = static_cast<std::uint32_t>(octets.size());
  const BpfFilter filter(expression);
  for (int i = 0; i < 3; ++i)
    REQUIRE_FALSE(filter.matches({octets.data(), 0, length, length, orbweaver::LinkType::ethernet}));
  return filter.why_none(3);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a filter that nothing passes says behind which tags it would match, and is right") {
  const Bytes packet = ipv4("10.0.0.1", "10.0.0.2") / tcp(1234, 80).syn();
  const Bytes tag{0x81, 0x00, 0x00, 0x07};
  const auto framed = [&](const std::vector<Bytes>& tags, const Bytes& type) {
    Bytes octets(12, 0x02);
    for (const Bytes& each : tags)
      octets.insert(octets.end(), each.begin(), each.end());
    octets.insert(octets.end(), type.begin(), type.end());
    octets.insert(octets.end(), packet.begin(), packet.end());
    return octets;
  };
  const Bytes ip{0x08, 0x00}, pppoe{0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0x00, 0x21}, mpls{0x88, 0x47, 0, 1, 1, 64};
  for (const std::pair<Bytes, std::string>& frame :
       {std::pair<Bytes, std::string>{framed({tag}, ip), "vlan and (tcp port 80 or udp)"},
        {framed({tag, tag}, ip), "vlan and vlan and (tcp port 80 or udp)"},
        {framed({}, mpls), "mpls and (tcp port 80 or udp)"},
        {framed({}, pppoe), "pppoes and (tcp port 80 or udp)"},
        {framed({tag}, pppoe), "vlan and pppoes and (tcp port 80 or udp)"},
        {framed({tag}, mpls), "vlan and mpls and (tcp port 80 or udp)"}}) {
    const std::string said = hint("tcp port 80 or udp", frame.first);
    CHECK_MESSAGE(contains(said, "--filter '" + frame.second + "'"), said);
    CHECK(passes(frame.second, frame.first, orbweaver::LinkType::ethernet));
  }
}

TEST_CASE("where tags are not the reason, a filter that nothing passes says no more than that") {
  const std::string said = hint("tcp port 81", ethernet() / ipv4("10.0.0.1", "10.0.0.2") / tcp(1234, 80).syn());
  CHECK(said == "filter \"tcp port 81\": none of 3 packets passed it");
}
