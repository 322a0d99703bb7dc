// SPDX-License-Identifier: GPL-3.0-or-later
// The fields of a stream's flows that a combiner reads, found once, at the start. Owned by the merger; does not change,
// any thread may read by it.
#pragma once

#include "common/stream/description.hpp"
#include "merger/conditions.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

class FlowFields {
public:
  /// Finds all that the combiner reads in the flows of a stream. Throws Error for a field that is not there, or is no
  /// whole number: names field, chain and stream.
  FlowFields(const CombinerEntry& combiner, const TableDescription& flows, const std::string& stream);

  /// Finds those of a list that are there, as whole numbers; of the others there is no number.
  FlowFields(std::span<const FieldUse> uses, const TableDescription& flows);

  [[nodiscard]] bool has(FieldRef field) const noexcept {
    return !std::less<>{}(field.use(), uses_.data()) && std::less<>{}(field.use(), uses_.data() + uses_.size());
  }

  /// As JobFlow::number(), of a flow record; of one that was `reversed`, the field's mirror.
  [[nodiscard]] std::optional<std::int64_t> number(FieldRef field, const std::byte* record, bool reversed) const;

private:
  struct Place {
    std::optional<std::int64_t> (*load)(const std::byte* at) noexcept; ///< nullptr: there is no such number
    std::uint32_t offset;
  };
  struct Field {
    Place own, mirror;
  };

  [[nodiscard]] static Place place_of(const FieldDescription& field) noexcept;

  std::span<const FieldUse> uses_;
  std::vector<Field> fields_; ///< in their order
};

} // namespace orbweaver
