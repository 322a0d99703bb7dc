// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/local_addresses.hpp"

#include "common/address.hpp"
#include "common/error.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

TEST_CASE("An interface that is not there is named") {
  CHECK(LocalAddresses::of("lo").interface == "lo");
  CHECK_THROWS_WITH_AS(static_cast<void>(LocalAddresses::of("nosuch0")), doctest::Contains("nosuch0"), Error);
}

TEST_CASE("A source is an address of this machine, one of each family") {
  auto local = LocalAddresses::of("lo");
  CHECK(local.source4.version == 0);
  local.set_sources({"127.0.0.9", "::1", "127.0.0.9"});
  CHECK(address_text(local.source4) == "127.0.0.9");
  CHECK(address_text(local.source6) == "::1");
  for (const char* const text : {"x", "", "192.0.2.77", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1",
                                 "2001:db8::77", "127.0.0.8", "127.0.0.1/8", "lo"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(local.set_sources({text}), doctest::Contains("--source"), UsageError);
  }
}

TEST_CASE("A public address is taken as it was said") {
  LocalAddresses said;
  CHECK_THROWS_AS(said.set_public({"198.51.100.7", "x"}), UsageError);
  CHECK(address_text(said.public_ip4) == "198.51.100.7");
}
