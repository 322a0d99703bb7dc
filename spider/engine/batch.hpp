// SPDX-License-Identifier: GPL-3.0-or-later
// The order of a synchronized plugin: as many jobs as there may be at once, or as have come after a while; then for
// each configuration of the system a connection of every job, and only when all have ended the next configuration. The
// engine makes the connections; this says when. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbweaver {

class Batch {
public:
  using Worker = std::uint32_t;

  /// `size`: of a whole batch, at least 1; `configurations`: at least 1.
  Batch(std::size_t size, unsigned configurations) noexcept : size_(size), configurations_(configurations) {}

  /// How long a batch that is not full waits for more jobs.
  static constexpr std::uint64_t wait_ns = 50'000'000;

  /// Its jobs are being collected, and there is one at least.
  [[nodiscard]] bool waits_for_jobs() const noexcept { return !running_ && !workers_.empty(); }
  [[nodiscard]] bool full() const noexcept { return workers_.size() >= size_; }
  /// A configuration's connections have not all ended.
  [[nodiscard]] bool connecting() const noexcept { return open_ > 0; }
  [[nodiscard]] bool running() const noexcept { return running_; }
  [[nodiscard]] unsigned config() const noexcept { return config_; }
  [[nodiscard]] const std::vector<Worker>& workers() const noexcept { return workers_; }

  /// While its jobs are being collected.
  void add(Worker worker, std::uint64_t now_ns) {
    if (workers_.empty())
      since_ns_ = now_ns;
    workers_.push_back(worker);
  }

  /// Begins with configuration 0 where it is full or has waited long enough, or where no more jobs come. False: not
  /// yet.
  bool begin(std::uint64_t now_ns, bool no_more_jobs) noexcept {
    running_ = !workers_.empty() && (full() || no_more_jobs || now_ns - since_ns_ >= wait_ns);
    config_ = 0;
    open_ = running_ ? workers_.size() : 0;
    return running_;
  }

  /// When all connections of a configuration have ended. False: it was the last one.
  bool next_configuration() noexcept {
    if (++config_ == configurations_)
      return false;
    open_ = workers_.size();
    return true;
  }

  void connection_ended() noexcept { --open_; }

  /// When its last configuration is done: the next batch can be collected.
  void clear() noexcept {
    workers_.clear();
    running_ = false;
  }

private:
  std::size_t size_;
  unsigned configurations_;
  std::vector<Worker> workers_;
  std::size_t open_ = 0; ///< of them, those whose connection has not ended
  unsigned config_ = 0;
  bool running_ = false;
  std::uint64_t since_ns_ = 0; ///< when its first job came
};

} // namespace orbweaver
