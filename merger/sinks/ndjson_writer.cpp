// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/ndjson_writer.hpp"

#include "common/json/escape.hpp"
#include "common/json/text.hpp"
#include "common/stream/flow_record.hpp"

#include <array>
#include <cstring>

namespace orbweaver {

namespace {

/// A label is copied in this size and, where it is longer, its rest after that. Nearly all are shorter.
constexpr std::size_t label_copy = 32;
/// The longest text of a value: an address and its quotes.
constexpr std::size_t max_value_bytes = 41;
static_assert(label_copy >= json::text_slack);

template <typename T>
T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
char* print_or_null(const std::byte* at, char* out) noexcept {
  const auto value = load<T>(at);
  return value < 0 ? json::print_null(out) : json::print_number(static_cast<std::uint64_t>(value), out);
}

char* print_boolean_or_null(const std::byte* at, char* out) noexcept {
  static constexpr char texts[3][8] = {"false", "true", "null"};
  static constexpr std::uint8_t lengths[3] = {5, 4, 4};
  const auto value = load<std::int8_t>(at);
  const unsigned which = value < 0 ? 2 : value != 0;
  std::memcpy(out, texts[which], 8);
  return out + lengths[which];
}

char* print_address(const std::byte* at, char* out) noexcept {
  const auto* octets = reinterpret_cast<const std::uint8_t*>(at);
  const auto version = octets[offsetof(Address, version)];
  if (version != 4 && version != 6)
    return json::print_null(out);
  *out++ = '"';
  out = version == 4 ? json::print_ipv4(octets, out) : json::print_ipv6(octets, out);
  *out++ = '"';
  return out;
}

/// A string of the IPFIX registry, quoted and padded; what has no name is null.
struct ReasonText {
  char text[24];
  std::uint8_t length;
};

constexpr auto reason_texts = [] {
  std::array<ReasonText, 256> texts{};
  for (unsigned value = 0; value < 256; ++value) {
    auto& reason = texts[value];
    const auto put = [&reason](std::string_view part) {
      for (const char c : part)
        reason.text[reason.length++] = c;
    };
    const auto name = to_string(static_cast<EndReason>(value));
    put(name.empty() ? "null" : "\"");
    put(name);
    put(name.empty() ? "" : "\"");
  }
  return texts;
}();

char* print_reason(const std::byte* at, char* out) noexcept {
  const auto& reason = reason_texts[load<std::uint8_t>(at)];
  std::memcpy(out, reason.text, sizeof reason.text);
  return out + reason.length;
}

} // namespace

NdjsonWriter::NdjsonWriter(const StreamHeader& stream)
    : max_line_bytes_(sizeof "{}\n" + label_copy), record_bytes_(stream.record_bytes) {
  for (const auto& field : stream.field_table()) {
    const auto at = labels_.size();
    labels_ += steps_.empty() ? '{' : ',';
    json::append_string(labels_, field.name_view());
    labels_ += ':';
    steps_.push_back(
        {static_cast<std::uint32_t>(at), static_cast<std::uint16_t>(labels_.size() - at), field.type, field.offset});
  }
  max_line_bytes_ += labels_.size() + steps_.size() * max_value_bytes;
  labels_.append(label_copy, '\0');
}

char* NdjsonWriter::print(const std::byte* record, char* out) const noexcept {
  if (steps_.empty())
    *out++ = '{';
  for (const auto& step : steps_) {
    const char* label = labels_.data() + step.label_at;
    std::memcpy(out, label, label_copy);
    if (step.label_length > label_copy) [[unlikely]]
      std::memcpy(out + label_copy, label + label_copy, step.label_length - label_copy);
    out += step.label_length;
    const std::byte* at = record + step.offset;
    switch (step.type) {
    case FieldType::boolean:
      out = json::print_boolean(load<std::uint8_t>(at) != 0, out);
      break;
    case FieldType::u8:
      out = json::print_octet(load<std::uint8_t>(at), out);
      break;
    case FieldType::u16:
      out = json::print_number(load<std::uint16_t>(at), out);
      break;
    case FieldType::u32:
      out = json::print_number(load<std::uint32_t>(at), out);
      break;
    case FieldType::u64:
      out = json::print_number(load<std::uint64_t>(at), out);
      break;
    case FieldType::boolean_or_null:
      out = print_boolean_or_null(at, out);
      break;
    case FieldType::u8_or_null:
      out = print_or_null<std::int16_t>(at, out);
      break;
    case FieldType::u16_or_null:
      out = print_or_null<std::int32_t>(at, out);
      break;
    case FieldType::u32_or_null:
      out = print_or_null<std::int64_t>(at, out);
      break;
    case FieldType::address:
      out = print_address(at, out);
      break;
    case FieldType::time_ns:
      out = json::print_seconds(load<std::uint64_t>(at), out);
      break;
    case FieldType::end_reason:
      out = print_reason(at, out);
      break;
    }
  }
  std::memcpy(out, "}\n", 2);
  return out + 2;
}

} // namespace orbweaver
