// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/engine/batch.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

constexpr std::uint64_t start_ns = 1'000'000'000;

void end_connections(Batch& batch) {
  for (auto left = batch.workers().size(); left > 0; --left) {
    CHECK(batch.connecting());
    batch.connection_ended();
  }
  CHECK_FALSE(batch.connecting());
}

} // namespace

TEST_CASE("a full batch begins at once, one that is not when it has waited or no more jobs come") {
  Batch batch(2, 1);
  CHECK_FALSE(batch.begin(start_ns, true)); // there is nothing to begin with
  batch.add(7, start_ns);
  CHECK(batch.waits_for_jobs());
  CHECK_FALSE(batch.begin(start_ns + Batch::wait_ns - 1, false));
  SUBCASE("full") {
    batch.add(8, start_ns + 1);
    CHECK(batch.full());
    CHECK(batch.begin(start_ns + 1, false));
  }
  SUBCASE("waited since its first job") {
    CHECK(batch.begin(start_ns + Batch::wait_ns, false));
  }
  SUBCASE("no more jobs") {
    CHECK(batch.begin(start_ns, true));
  }
  CHECK(batch.running());
  CHECK_FALSE(batch.waits_for_jobs());
}

TEST_CASE(
    "the next configuration comes when all connections of the one before have ended, and after the last a new batch") {
  Batch batch(2, 2);
  batch.add(7, start_ns);
  batch.add(8, start_ns);
  REQUIRE(batch.begin(start_ns, false));
  CHECK(batch.config() == 0);
  batch.connection_ended();
  CHECK(batch.connecting());
  batch.connection_ended();
  CHECK_FALSE(batch.connecting());
  REQUIRE(batch.next_configuration());
  CHECK(batch.config() == 1);
  end_connections(batch);
  CHECK_FALSE(batch.next_configuration());
  batch.clear();
  CHECK_FALSE(batch.running());
  CHECK_FALSE(batch.full());

  batch.add(9, start_ns);
  REQUIRE(batch.begin(start_ns, true));
  CHECK(batch.config() == 0);
  end_connections(batch);
}
