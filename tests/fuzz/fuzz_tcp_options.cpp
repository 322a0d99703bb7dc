// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes the TCP option parser that all chains share: options come in order, lie within the list, and are as long as
// they say; and what is left out is NOP, or what follows the end of the list.
#include "common/tcp.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orbweaver;
  const std::unique_ptr<std::uint8_t[]> octets(new std::uint8_t[size]);
  if (size > 0)
    std::memcpy(octets.get(), data, size);
  std::size_t at = 0;
  for_each_tcp_option({octets.get(), size}, [&](const TcpOption& option) {
    while (at < size && octets[at] == TO_NOP)
      ++at;
    require(at + 2 <= size);
    require(option.kind == octets[at] && option.kind != TO_EOL && option.kind != TO_NOP);
    require(option.value.size() + 2 == octets[at + 1]);
    require(option.value.data() == octets.get() + at + 2);
    at += option.value.size() + 2;
    require(at <= size);
  });
  // Why it ended: nothing left, EOL, or an option that does not fit.
  while (at < size && octets[at] == TO_NOP)
    ++at;
  require(at == size || octets[at] == TO_EOL || at + 1 == size || octets[at + 1] < 2 || octets[at + 1] > size - at);
  return 0;
}
