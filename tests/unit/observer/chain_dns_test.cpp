// SPDX-License-Identifier: GPL-3.0-or-later
// The dns chain: what is a DNS response and what only looks like one.
#include "observer/chains/dns.hpp"
#include "tests/support/dns_message.hpp"
#include "tests/unit/observer/chain_support.hpp"

#include <array>
#include <random>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::array<std::uint8_t, 4> address{198, 51, 100, 7};
const Octets query = craft::dns_query(7, "example.org"), response = craft::dns_response(7, "example.org", address);

std::string valid_over_udp(Octets message) {
  return flow_of({"dns"},
                 {forward(udp).payload(query), reverse(udp).payload(std::move(message))})["dns_response_valid"];
}
std::string valid_over_tcp(Octets payload) {
  return flow_of({"dns"}, {forward(tcp), reverse(tcp).payload(std::move(payload))})["dns_response_valid"];
}

} // namespace

TEST_CASE("dns: a response in the reverse direction is valid and completes the flow, over UDP and over TCP") {
  CHECK(valid_over_udp(response) == "true");
  CHECK(valid_over_tcp(craft::dns_over_tcp(response)) == "true");
  CHECK(completes("dns", {forward(udp).payload(query), reverse(udp).payload(response)}));
  CHECK(completes("dns", {forward(tcp), reverse(tcp).payload(craft::dns_over_tcp(response))}));
}

TEST_CASE("dns: a response without answers, that there is no such name, is valid") {
  CHECK(valid_over_udp(craft::dns_response(7, "example.org", address, 3)) == "true");
}

TEST_CASE("dns: a response ends with its last record, and what it says is assigned") {
  Octets longer = response;
  longer.push_back(0);
  CHECK(valid_over_udp(longer) == "false");
  Octets unassigned_class = response;
  unassigned_class[12 + 13 + 3] = 77; // of the question: a name of 13 octets, type, class
  CHECK(valid_over_udp(unassigned_class) == "false");
  Octets unassigned_opcode = response;
  unassigned_opcode[2] |= 0x78;
  CHECK(valid_over_udp(unassigned_opcode) == "false");
  Octets behind = craft::dns_over_tcp(longer);
  CHECK(valid_over_tcp(behind) == "false");
}

TEST_CASE("dns: an error that is a header alone is a response, a datagram of another protocol is none") {
  CHECK(valid_over_udp({0, 7, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0}) == "true");
  CHECK(valid_over_udp({0, 7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0}) == "false");
  // A DTLS record: handshake, version 1.2, epoch 0 (RFC 6347, 4.1); then application data of epoch 1.
  Octets dtls{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 24, 1, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 12};
  dtls.resize(13 + 24);
  CHECK(valid_over_udp(dtls) == "false");
  dtls[0] = 23;
  dtls[4] = 1;
  CHECK(valid_over_udp(dtls) == "false");
}

TEST_CASE("dns: the flag in classes is multicast DNS's alone") {
  Octets flush = response;
  flush[12 + 13 + 2] |= 0x80;
  CHECK(valid_over_udp(flush) == "false");
  const auto flow = flow_of({"dns"}, {Packet(ipv4(1, 5353), ipv4(2, 5353), udp).payload(query),
                                      Packet(ipv4(2, 5353), ipv4(1, 5353), udp).payload(flush)});
  CHECK(flow["dns_response_valid"] == "true");
}

TEST_CASE("dns: stateful operations have values and no records") {
  const Octets keepalive{0, 7, 0xb0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 9, 9};
  CHECK(valid_over_tcp(craft::dns_over_tcp(keepalive)) == "true");
  CHECK(valid_over_tcp(craft::dns_over_tcp({keepalive.begin(), keepalive.end() - 1})) == "false");
}

TEST_CASE("dns: a response that goes forward, or a query that comes back, is not") {
  CHECK(flow_of({"dns"}, {forward(udp).payload(response)})["dns_response_valid"] == "false");
  CHECK_FALSE(completes("dns", {forward(udp).payload(response)}));
  CHECK(valid_over_udp(query) == "false");
  CHECK_FALSE(completes("dns", {forward(udp).payload(query), reverse(udp).payload(query)}));
}

TEST_CASE("dns: once valid it stays valid, and every port will do") {
  const auto flow = flow_of({"dns"}, {Packet(ipv4(1, 1111), ipv4(2, 2222), udp),
                                      Packet(ipv4(2, 2222), ipv4(1, 1111), udp).payload(response),
                                      Packet(ipv4(2, 2222), ipv4(1, 1111), udp).payload(query)});
  CHECK(flow["dns_response_valid"] == "true");
}

TEST_CASE("dns: a message cut off anywhere is not valid") {
  for (std::size_t length = 0; length < response.size(); ++length)
    CHECK_MESSAGE(valid_over_udp({response.begin(), response.begin() + static_cast<long>(length)}) == "false", length);
}

TEST_CASE("dns: over TCP the length prefix must be that of the message, and the message all there") {
  CHECK(valid_over_tcp(response) == "false");
  CHECK(valid_over_tcp({}) == "false");
  CHECK(valid_over_tcp({0}) == "false");
  CHECK(valid_over_tcp({0, 0}) == "false");
  Octets lying = craft::dns_over_tcp(response);
  ++lying[1];
  CHECK(valid_over_tcp(lying) == "false"); // longer than the segment
  lying[1] = static_cast<std::uint8_t>(lying[1] - 2);
  CHECK(valid_over_tcp(lying) == "false"); // cuts the message off
  Octets more = craft::dns_over_tcp(response);
  more.insert(more.end(), {0, 9, 1, 2, 3});
  CHECK(valid_over_tcp(more) == "true"); // another message begins
}

TEST_CASE("dns: counts that promise more records than there are make it invalid") {
  for (const std::size_t place : {4, 6, 8, 10}) {
    Octets lying = response;
    ++lying.at(place + 1);
    CHECK_MESSAGE(valid_over_udp(lying) == "false", place);
    lying.at(place) = lying.at(place + 1) = 0xff;
    CHECK_MESSAGE(valid_over_udp(lying) == "false", place);
  }
}

TEST_CASE("dns: a record whose data length lies makes it invalid") {
  Octets lying = response;
  lying.at(lying.size() - 5) = 200;
  CHECK(valid_over_udp(lying) == "false");
}

TEST_CASE("dns: compression pointers that loop, or point past the end, end as invalid") {
  const std::size_t name = query.size(); // the answer's name: a pointer to the question
  Octets loop = response;
  loop[name] = 0xc0;
  loop[name + 1] = static_cast<std::uint8_t>(name);
  CHECK(valid_over_udp(loop) == "false");
  loop[name] = 0xff;
  loop[name + 1] = 0xff;
  CHECK(valid_over_udp(loop) == "false");
}

TEST_CASE("dns: octets at random never crash and are never taken for a response without the response bit") {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    Octets octets = response;
    for (int i = 0; i < 6; ++i)
      octets[random() % octets.size()] = static_cast<std::uint8_t>(random());
    const bool is_response = is_dns_response(octets);
    CHECK((!is_response || (octets[2] & 0x80)));
  }
}

TEST_CASE("dns: other protocols and segments without a captured header say nothing") {
  CHECK(flow_of({"dns"}, {forward(sctp), reverse(sctp).payload(response)})["dns_response_valid"] == "false");
  CHECK(flow_of({"dns"}, {forward(udp), reverse(udp).payload(response).without_transport()})["dns_response_valid"] ==
        "false");
}
