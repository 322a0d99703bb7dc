// SPDX-License-Identifier: GPL-3.0-or-later
// The cage of a process: what it may still do once it has opened and attached everything. A stage has its list beside
// it (capture/cage.cpp and its like); Stage::enter_cage goes in. There is no way out of a cage. See docs/cages.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// A system call that may be made; the rest end the process, named (on_refused_call). Of several entries of one name
/// any may fit.
struct CageCall {
  /// An argument as it must be: and-ed with `mask` it is `value`.
  struct Where {
    unsigned argument = none; ///< from 0
    std::uint64_t value = 0;
    std::uint64_t mask = UINT32_MAX; ///< most are an int, whose upper half is anything
  };
  static constexpr unsigned none = ~0U;
  static constexpr std::uint64_t this_process = ~std::uint64_t{0}; ///< a value: our process id
  static constexpr std::uint64_t whole = ~std::uint64_t{0};        ///< a mask: of a pointer

  const char* name; ///< of the kernel's; one that this architecture has not is passed over
  Where where[2]{}; ///< all of them
  int error = 0;    ///< where not 0: it is not made, and fails with this errno, for a library that can do without
};

/// What may be done below a path: a folder with all in it, or a file. One that is not there is passed over.
struct CagePath {
  enum class Rights : std::uint8_t {
    read,   ///< open to read, and list
    remove, ///< list, and remove files: shared memory that a session leaves
    change, ///< read, and write what is there: sysctls
    write,  ///< read, make, write, list, rename and remove files: a folder of output
  };
  std::string path;
  Rights rights;
};

struct CageRules {
  std::string program;                          ///< "orbweaver-observer": who a refused call is told of
  std::vector<std::span<const CageCall>> calls; ///< empty: no filter of calls
  std::vector<CagePath> paths;                  ///< the only files that can be opened from now on
  bool tcp = false;                             ///< whether it may bind and connect TCP sockets (from Landlock ABI 4)
  std::vector<unsigned> capabilities;           ///< those of linux/capability.h that stay
};

/// What every stage does: memory, clocks, waiting, descriptors that are open, removing shared memory, and ending.
[[nodiscard]] std::span<const CageCall> base_calls() noexcept;

/// What a thread of our own takes: no process can be made by it.
[[nodiscard]] std::span<const CageCall> thread_calls() noexcept;

/// What every stage may do with files: to remove shared memory, where it is the last one out, and to find out in /proc
/// whether the other end of a ring lives.
[[nodiscard]] std::vector<CagePath> base_paths();

/// Drops, in this order: the bounding and the ambient set, the user (where `user` is not empty: its groups too), all
/// capabilities but those listed, files and TCP (Landlock), every system call but those listed; of all threads. Returns
/// what the kernel cannot do, in words, empty where it can do all. Throws Error where it can and refuses.
[[nodiscard]] std::string enter_cage(const CageRules& rules, const std::string& user);

/// Becomes another user, with its groups, and keeps the capabilities: for who has yet to open what takes them. Throws
/// UsageError for one that there is not, Error without the right to.
void become_user(const std::string& user);

/// While there is one, files are opened, made and owned as that user would: for what a stage opens that becomes the
/// user once all is open. Where `user` is empty nothing is done. Throws as become_user.
class AsUser {
public:
  explicit AsUser(const std::string& user);
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;
  ~AsUser();

private:
  unsigned before_user_, before_group_;
};

/// Called, from a signal's handler, after a refused call was told of on stderr, before the process ends with status 1.
/// May only do what a signal's handler may.
using OnRefusedCall = void (*)(const char* call) noexcept;
void on_refused_call(OnRefusedCall call) noexcept;

/// In a build with tests only: makes a call that no cage allows (cage_try.cpp). Throws Error where that did not end the
/// process, false for a word that it does not know.
bool try_forbidden(const std::string& what);

} // namespace orbweaver
