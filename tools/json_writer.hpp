// SPDX-License-Identifier: GPL-3.0-or-later
// Writes JSON text, indented for reading or all on one line. For small documents: the summary and the statistics.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class JsonWriter {
public:
  enum class Layout { indented, one_line };
  explicit JsonWriter(Layout layout = Layout::indented) : layout_(layout) {}

  void begin_object() { begin('{'); }
  void end_object() { end('}'); }
  void begin_array() { begin('['); }
  void end_array() { end(']'); }

  /// Names the value that comes next; within an object only.
  JsonWriter& key(std::string_view name);

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(bool truth) { scalar(truth ? "true" : "false"); }
  void value(double number); ///< with three digits after the point
  void value(std::integral auto number) { scalar(std::to_string(number)); }
  void null() { scalar("null"); }

  /// The document, with a newline at its end.
  [[nodiscard]] std::string text() const { return text_ + "\n"; }

private:
  void begin(char bracket);
  void end(char bracket);
  void scalar(std::string_view text);
  void separate();
  void new_line();

  Layout layout_;
  std::string text_;
  std::vector<bool> has_members_; ///< for each open object or array
  bool after_key_ = false;
};

} // namespace orbweaver
