// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes what servers answer with, where this project reads it: lines of HTTP headers, which must come out as one JSON
// object; DNS messages, of which the spider takes none that the dns chain would not; and what a server says of this
// machine's address. Input: an octet for what it is, then the answer.
#include "common/dns_message.hpp"
#include "common/dns_shape.hpp"
#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "spider/connect/dns_message.hpp"
#include "spider/connect/http_header.hpp"
#include "spider/system/public_address.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <simdjson.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace orbweaver;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// Line by line, as libcurl gives them, until one is refused.
void read_http(std::string_view answer) {
  constexpr std::size_t limit_octets = 1024;
  HttpHeader header(limit_octets);
  std::size_t taken = 0;
  bool is_refused = false;
  while (!answer.empty() && !is_refused) {
    const auto line = answer.substr(0, std::min(answer.find('\n'), answer.size() - 1) + 1);
    answer.remove_prefix(line.size());
    is_refused = !header.add_line(line);
    taken += is_refused ? 0 : line.size();
  }
  require(taken <= limit_octets && header.truncated() == is_refused);
  simdjson::dom::parser parser;
  simdjson::dom::element parsed;
  std::string text;
  {
    json::Object object(text);
    header.describe(object);
  }
  require(parser.parse(text).get(parsed) == simdjson::SUCCESS && parsed.is_object());
  require(text.find('\n') == text.npos);
}

void read_dns(std::span<const std::uint8_t> answer) {
  static const auto query = make_dns_query("example.org");
  std::vector<std::uint8_t> message(answer.begin(), answer.end());
  for (std::size_t i = 0; i < 2 && i < message.size(); ++i)
    message[i] = query[i]; // the id, which no fuzzer finds
  const bool is_response = is_dns_response(message);
  require(!is_response || may_be_dns_response(message));
  if (const auto read = read_dns_response(query, message)) {
    require(is_response);
    require(read->rcode < 16 && read->answers == (unsigned{message[6]} << 8 | message[7]));
  }
  static_cast<void>(is_dns_response(dns_over_tcp(message), true));
}

void read_public_address(std::string_view answer) {
  try {
    const auto said = parse_public_address(answer);
    require(said.address.version == 4 || said.address.version == 6);
  } catch (const Error&) {
    // No address in it: said at start-up.
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 3) {
  case 0:
    read_http(text);
    break;
  case 1:
    read_dns({data + 1, size - 1});
    break;
  default:
    read_public_address(text);
  }
  return 0;
}
