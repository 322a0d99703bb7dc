// SPDX-License-Identifier: GPL-3.0-or-later
// The chains that a user chose, without their types: in which order, with which options, where their states lie in a
// flow, and the description of the stream that they give. Made once, at start.
#pragma once

#include "common/process/options/chain_list.hpp"
#include "common/stream/description.hpp"
#include "observer/chain/chain_hooks.hpp"
#include "observer/shared_chain.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// A chain as it was chosen: "splt:packets=20,gaps=false".
struct ChainRequest {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;

  /// Throws UsageError where the text is none.
  static ChainRequest parse(const std::string& text);
};

class ChainChoice {
public:
  struct Chosen {
    std::size_t chain; ///< its place among those that there are
    ChainPlace place;
    std::unique_ptr<std::uint64_t[]> options; ///< what place.options points to
  };

  /// Chooses among `chains` by name; one that is named twice counts once, and has to be named alike. A name that is not
  /// there, an option or value that cannot be, two chains with one field or table: a UsageError that names them.
  ChainChoice(std::span<const ChainInfo> chains, std::span<const std::string> requests);

  /// In the order in which they were named.
  [[nodiscard]] std::span<const Chosen> chosen() const noexcept { return chosen_; }
  [[nodiscard]] const ChainInfo& info(const Chosen& chosen) const noexcept { return chains_[chosen.chain]; }

  /// Octets of the states that a flow's record has; a multiple of 8.
  [[nodiscard]] std::uint32_t record_bytes() const noexcept { return record_bytes_; }
  /// Octets of a flow in the table behind its head: the states, and where a chain wants memory the place of its first
  /// block, which no record has.
  [[nodiscard]] std::uint32_t state_bytes() const noexcept { return record_bytes_ + (wants_memory_ ? 8 : 0); }
  [[nodiscard]] bool wants_memory() const noexcept { return wants_memory_; }
  [[nodiscard]] std::uint32_t needs() const noexcept { return needs_; }

  /// The stream of rows that these chains give: a FlowRecord and the states, then the tables of events.
  [[nodiscard]] const StreamDescription& stream() const noexcept { return stream_; }

  /// Of a table, the fields whose values lie in a row's tail, with their offsets in the record.
  struct TailField {
    std::uint32_t offset;
    ChainField::AppendView append_view; ///< of an event
    std::uint32_t view_octets;          ///< of an event: what the view itself takes
  };
  [[nodiscard]] std::span<const TailField> tails(std::uint16_t table) const noexcept { return tails_[table]; }
  /// Octets that an event of a table has in its record, behind the EventRecord, and as the chain's struct.
  [[nodiscard]] std::uint32_t event_octets(std::uint16_t table) const noexcept {
    return stream_.tables[table].record_octets - static_cast<std::uint32_t>(sizeof(EventRecord));
  }
  [[nodiscard]] std::uint32_t event_struct_octets(std::uint16_t table) const noexcept { return event_octets_[table]; }

private:
  void add(std::size_t chain, const ChainRequest& request);
  void describe();

  std::vector<ChainInfo> chains_;
  std::vector<Chosen> chosen_;
  std::uint32_t record_bytes_ = 0;
  std::uint32_t needs_ = 0;
  bool wants_memory_ = false;
  StreamDescription stream_;
  std::vector<std::vector<TailField>> tails_; ///< by table
  std::vector<std::uint32_t> event_octets_;   ///< by table
};

/// These chains as other programs know them.
[[nodiscard]] std::vector<ChainDescription> described(std::span<const ChainInfo> chains);

/// Why a chain cannot be used, or an empty string: for those that the compiler could not check as part of the library.
[[nodiscard]] std::string check_chain(const ChainInfo& chain);

} // namespace orbweaver
