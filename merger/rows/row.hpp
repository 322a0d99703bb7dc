// SPDX-License-Identifier: GPL-3.0-or-later
// Rows as they come out of a stream, checked before anybody reads them: who has a RowView may read every field that its
// table describes. Owned by whoever reads the stream; one thread.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/record.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// A row of a table, in its reader's copy.
struct RowView {
  const std::byte* record = nullptr;
  std::uint32_t octets = 0; ///< of the record, header included

  /// What a TailRef of it that is not null refers to.
  [[nodiscard]] std::span<const std::byte> tail(const TailRef& ref) const noexcept {
    return {record + ref.at, ref.octets};
  }
};

/// Calls visit(element) for each element of a list: numbers by their value, texts as their octets.
template <typename Element, typename Visit>
void for_each_element(std::span<const std::byte> list, Visit&& visit) {
  if constexpr (std::same_as<Element, Text>) {
    while (!list.empty()) {
      const auto octets = load_field<std::uint32_t>(list.data());
      visit(list.subspan(sizeof octets, octets));
      list = list.subspan(sizeof octets + octets);
    }
  } else {
    for (; !list.empty(); list = list.subspan(sizeof(Element)))
      visit(load_field<Element>(list.data()));
  }
}

/// The rows of one stream.
class StreamRows {
public:
  explicit StreamRows(const StreamDescription& stream);

  /// Takes a record of kind `row`. False where it is no row of the table that it names: damage() says why. Of a row
  /// without a tail only the length counts: whatever octets are there give values. It stays where it is.
  [[nodiscard]] bool take(const RecordHeader& record, RowView& row) {
    row = {reinterpret_cast<const std::byte*>(&record), record.length};
    if (record.table < tables_.size()) [[likely]] {
      const auto& table = tables_[record.table];
      if (record.length == table.record_octets && table.tails.empty()) [[likely]]
        return true;
    }
    damage_ = damage_of(record, row);
    return damage_.empty();
  }

  /// Why the record taken last is no row.
  [[nodiscard]] const std::string& damage() const noexcept { return damage_; }

private:
  struct Tail {
    std::uint32_t offset;
    FieldType type;
    std::string field;
  };
  struct Table {
    std::string name;
    std::uint32_t record_octets;
    std::vector<Tail> tails; ///< the fields whose values lie there
  };

  [[nodiscard]] std::string damage_of(const RecordHeader& record, RowView row) const;
  [[nodiscard]] static std::string damage_of_tails(const Table& table, RowView row);

  std::vector<Table> tables_;
  std::string damage_;
};

} // namespace orbweaver
