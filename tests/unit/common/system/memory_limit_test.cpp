// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/memory_limit.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

using namespace orbweaver;

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;

/// A machine with 1000 MiB available, as far as /proc and /sys tell.
struct Machine {
  test::Scratch folder;

  Machine() { file("/proc/meminfo", "MemTotal: 2048000 kB\nMemAvailable:    1024000 kB\n"); }
  void file(const std::string& path, const std::string& text) const {
    const std::string whole = root() + path;
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    std::ofstream(whole) << text;
  }
  [[nodiscard]] std::string root() const { return folder.path(); }
  [[nodiscard]] std::uint64_t left() const { return memory_left(root()) / mib; }
};

std::string octets(std::uint64_t in_mib) {
  return std::to_string(in_mib * mib) + "\n";
}

} // namespace

TEST_CASE("without a control group the machine's available memory is left") {
  const Machine machine;
  CHECK(machine.left() == 1000);
  machine.file("/proc/self/cgroup", "nonsense\n0::\n");
  CHECK(machine.left() == 1000);
}

TEST_CASE("where nothing is known a GiB is left") {
  const Machine machine;
  machine.file("/proc/meminfo", "");
  CHECK(machine.left() == 1024);
}

TEST_CASE("version 2: the least of memory.max and memory.high, of the group and all above it, less what is in use") {
  const Machine machine;
  machine.file("/proc/self/cgroup", "0::/system.slice/probe.service\n");
  const std::string parent = "/sys/fs/cgroup/system.slice", group = parent + "/probe.service";
  machine.file(group + "/memory.max", "max\n");
  machine.file(group + "/memory.high", "max\n");
  CHECK(machine.left() == 1000);
  machine.file(group + "/memory.max", octets(300));
  CHECK(machine.left() == 300);
  machine.file(group + "/memory.current", octets(120));
  machine.file(group + "/memory.stat", "anon 5\ninactive_file " + octets(20));
  CHECK(machine.left() == 200);
  machine.file(group + "/memory.high", octets(250));
  CHECK(machine.left() == 150);
  machine.file(parent + "/memory.max", octets(100));
  CHECK(machine.left() == 100);
  machine.file(parent + "/memory.current", octets(101));
  CHECK(machine.left() == 0);
}

TEST_CASE("version 1: memory.limit_in_bytes of the group, or of the nearest one that is to be seen") {
  const Machine machine;
  machine.file("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/a/b\n0::/\n");
  machine.file("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", octets(200));
  machine.file("/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", octets(50));
  machine.file("/sys/fs/cgroup/memory/a/b/memory.stat", "inactive_file 1\ntotal_inactive_file " + octets(10));
  CHECK(machine.left() == 160);
  machine.file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", octets(100));
  CHECK(machine.left() == 100);
  machine.file("/proc/self/cgroup", "4:cpu,memory:/a/elsewhere\n");
  CHECK(machine.left() == 100);
  machine.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  machine.file("/proc/self/cgroup", "4:memory:/\n");
  CHECK(machine.left() == 1000);
}

TEST_CASE("processes that the kernel ended for want of memory are counted in both versions") {
  const Machine machine;
  CHECK(out_of_memory_kills(machine.root()) == 0);
  machine.file("/proc/self/cgroup", "4:memory:/a\n0::/b\n");
  machine.file("/sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
  CHECK(out_of_memory_kills(machine.root()) == 2);
  machine.file("/sys/fs/cgroup/unified/b/memory.events", "low 0\noom 9\noom_kill 3\n");
  CHECK(out_of_memory_kills(machine.root()) == 3);
}
