// SPDX-License-Identifier: GPL-3.0-or-later
// Members of an object that others than us fill in, such as plugins: each is checked as it is added. What cannot stand
// in the object is left out, and what it was and why is kept for who has to say it. One thread.
#pragma once

#include "common/json/builder.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::json {

class CheckedMembers {
public:
  /// `reserved`: keys that somebody else writes; they must outlive this.
  explicit CheckedMembers(std::span<const std::string_view> reserved = {}) noexcept : reserved_(reserved) {}

  /// Adds a member: `members.add("http_response_code", 200)`. Keys and texts may be any octets. Left out where the key
  /// is reserved or there already.
  template <Typed Value>
  void add(std::string_view key, const Value& value) {
    add_built(key, [&](std::string& out) { append_value(out, value); });
  }

  /// Adds an object or array that `fill` fills: `members.add_object("info", [&](json::Object& info) { … })`.
  template <std::invocable<Object&> Fill>
  void add_object(std::string_view key, Fill&& fill) {
    add_built(key, [&](std::string& out) {
      Object object(out);
      fill(object);
    });
  }
  template <std::invocable<Array&> Fill>
  void add_array(std::string_view key, Fill&& fill) {
    add_built(key, [&](std::string& out) {
      Array array(out);
      fill(array);
    });
  }

  /// Adds a value that is JSON text already, on one line. Left out where it is not.
  void add_json(std::string_view key, std::string_view value);

  /// Adds members that are JSON text already, without braces: `"a":1,"b":[2]`. Where that text is bad all of it is left
  /// out; where it is good the same holds for each member as for one added alone.
  void add_members(std::string_view members);

  /// Leaves the longest members out until what is left has `octets` at most; `limit` says whose limit that is.
  void shorten_to(std::size_t octets, std::string_view limit);

  /// Without braces, on one line; valid until the next change.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }

  /// A member that was left out.
  struct LeftOut {
    std::string key; ///< empty: a whole text
    std::string why; ///< in a few words: "a comma is expected at octet 8"
  };
  [[nodiscard]] const std::vector<LeftOut>& left_out() const noexcept { return left_out_; }

private:
  struct Place {
    std::string key;
    std::size_t at;     ///< in text_, behind the comma before it
    std::size_t octets; ///< of the whole member
  };

  template <typename Write>
  void add_built(std::string_view key, Write&& write) {
    if (!may_stand(key, places_.size()))
      return;
    begin(key);
    write(text_);
    end();
  }

  /// Whether nobody else has that key: of our own members the first `others` are asked.
  [[nodiscard]] bool may_stand(std::string_view key, std::size_t others);
  void begin(std::string_view key);
  void end();
  void remove(std::size_t place);

  std::span<const std::string_view> reserved_;
  std::string text_;
  std::vector<Place> places_;
  std::vector<LeftOut> left_out_;
};

} // namespace orbweaver::json
