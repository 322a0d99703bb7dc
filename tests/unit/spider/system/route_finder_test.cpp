// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/route_finder.hpp"

#include "common/address.hpp"
#include "common/stream/records/job_record.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

std::string source_for(RouteFinder& routes, const char* target) {
  const Route route = routes.to(parse_address(target), 6, 80);
  CHECK((route.source.version == 0) == !route.why.empty());
  CHECK((route.error == 0) == route.why.empty());
  return route.source.version == 0 ? route.why : address_text(route.source);
}

} // namespace

// Routes by several interfaces are on the test bed (tests/e2e/measure_sources.py).

TEST_CASE("The source is the kernel's choice, or the one that was given for that family") {
  RouteFinder free("lo", {}, {});
  CHECK(source_for(free, "127.0.0.7") == "127.0.0.1");
  CHECK(source_for(free, "::1") == "::1");
  RouteFinder bound("lo", parse_address("127.0.0.9"), {});
  CHECK(source_for(bound, "127.0.0.7") == "127.0.0.9");
  CHECK(source_for(bound, "::1") == "::1");
}

TEST_CASE("A target by another interface, or without a route, has no source, and says why") {
  RouteFinder nowhere("nosuch0", {}, {});
  CHECK(source_for(nowhere, "127.0.0.7") == "its route leaves by lo, not by nosuch0");
  CHECK(nowhere.to(parse_address("127.0.0.7"), 17, 53).error == ConnectionRecord::other_interface);
  RouteFinder foreign("lo", parse_address("192.0.2.77"), {}); // gone since it was given
  CHECK(source_for(foreign, "198.51.100.7").ends_with(" from 192.0.2.77"));
}
