// SPDX-License-Identifier: GPL-3.0-or-later
// A connection of a job and its flow, as a combiner sees them. Owned by the result writer, for the time of one job.
#pragma once

#include "merger/conditions.hpp"
#include "merger/measure/job_table.hpp"
#include "merger/rows/flow_fields.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace orbweaver {

class MergedFlow final : public JobFlow {
public:
  /// `fields` and `standing_fields` (those of that name) are of the stream that the flow came from; not read where
  /// there is none. All must outlive this.
  MergedFlow(const Job& job, const JobConnection& connection, const FlowFields* fields,
             const FlowFields* standing_fields)
      : job_(job), connection_(connection), fields_(fields), standing_fields_(standing_fields) {}

  [[nodiscard]] bool observed() const override { return connection_.fate == JobConnection::Fate::joined; }
  [[nodiscard]] ConnectionState state() const override { return connection_.record.state; }
  [[nodiscard]] std::uint8_t protocol() const override { return connection_.record.protocol; }
  [[nodiscard]] std::uint64_t ring_drops() const override;
  [[nodiscard]] std::optional<std::int64_t> number(FieldRef field) const override;
  [[nodiscard]] std::string error() const override { return connection_error_text(connection_.record.error); }
  [[nodiscard]] std::optional<std::string> member(std::string_view pointer) const override;

private:
  const Job& job_;
  const JobConnection& connection_;
  const FlowFields* fields_;
  const FlowFields* standing_fields_;
};

} // namespace orbweaver
