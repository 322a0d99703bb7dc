// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/job_record.hpp"

#include <cstring>

namespace orbweaver {

std::string connection_error_text(std::uint16_t error) {
  if (error == 0)
    return {};
  if (error == ConnectionRecord::link_lost)
    return "no carrier";
  if (error == ConnectionRecord::other_interface)
    return "other interface";
  const char* const name = strerrorname_np(error);
  return name ? name : "errno " + std::to_string(error);
}

} // namespace orbweaver
