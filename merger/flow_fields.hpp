// SPDX-License-Identifier: GPL-3.0-or-later
// The fields of a stream's flow records by name, as its field table says. Owned by the merger; does not change, any
// thread may read by it.
#pragma once

#include "common/stream/stream_header.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace orbweaver {

class FlowFields {
public:
  explicit FlowFields(const StreamHeader& stream);

  /// A field as a number: booleans as 0 and 1, times in nanoseconds, end reasons as IPFIX counts them. Nothing where it
  /// is null, is an address, is not there, or is more than 2^63 - 1.
  [[nodiscard]] std::optional<std::int64_t> number(const std::byte* record, std::string_view name) const;

private:
  struct Field {
    FieldType type;
    std::uint32_t offset;
  };
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, Field, Hash, std::equal_to<>> fields_;
};

/// The name that a field has when the flow is seen from its other end: `_fwd` for `_rev`, `sp` for `dp`, `sip` for
/// `dip`, and the other way about. The same name for all others.
[[nodiscard]] std::string other_end(std::string_view name);

} // namespace orbweaver
