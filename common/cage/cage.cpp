// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/cage/cage.hpp"

#include "common/cage/landlock.hpp"
#include "common/cage/other_threads.hpp"
#include "common/error.hpp"
#include "config.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <grp.h>
#include <initializer_list>
#include <linux/capability.h>
#include <memory>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orbweaver {

namespace {

[[noreturn]] void refuse(const std::string& what, int error = errno) {
  throw Error("cannot enter the cage: " + what + ": " + errno_text(error) +
              "; --no-sandbox leaves it out, to find out why");
}

// ---- Rights: each thread has its own ----

using Capabilities = std::array<__user_cap_data_struct, 2>;

Capabilities capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  Capabilities sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0)
    refuse("capabilities");
  return sets;
}

int set_capabilities(const Capabilities& sets) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return syscall(SYS_capset, &header, sets.data()) == 0 ? 0 : errno;
}

/// Those of the list that it has: others it cannot keep.
Capabilities kept_of(const CageRules& rules) {
  const auto had = capabilities();
  Capabilities sets{};
  for (const unsigned capability : rules.capabilities) {
    auto& set = sets[capability / 32];
    const std::uint32_t bit = had[capability / 32].permitted & (1U << (capability % 32));
    set.effective |= bit;
    set.permitted |= bit;
  }
  return sets;
}

/// Without the right to (CAP_SETPCAP) the bounding set stays: with no_new_privs nothing can be taken from it. Returns
/// errno of anything else.
int empty_bounding_set() noexcept {
  for (unsigned capability = 0; capability < 64; ++capability)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
      return errno == EINVAL || errno == EPERM ? 0 : errno; // EINVAL: past the last one
  return 0;
}

/// What is dropped in every thread, in words of the kernel's own: a signal's handler does it in those of libraries.
struct Drop {
  Capabilities sets{};
  int landlock = -1; ///< descriptor of its rules
  std::atomic<int> error{0};

  void run() noexcept {
    int problem = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
    if (problem == 0)
      problem = empty_bounding_set();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (problem == 0 && landlock >= 0)
      problem = restrict_by_landlock(landlock);
    if (problem == 0)
      problem = set_capabilities(sets);
    if (problem != 0)
      error.store(problem, std::memory_order_relaxed);
  }
};
Drop drop;

std::string drop_in_other_threads(int landlock) {
  drop.sets = {};
  drop.landlock = landlock;
  const auto missing = run_in_other_threads([]() noexcept { drop.run(); });
  if (const int error = drop.error.exchange(0, std::memory_order_relaxed); error != 0)
    refuse("the rights of a library's thread", error);
  return missing == 0 ? std::string()
                      : std::to_string(missing) + " threads of libraries did not give up their rights: of those only "
                                                  "the list of system calls holds for them";
}

const passwd& find_user(const std::string& user) {
  const passwd* const entry = getpwnam(user.c_str());
  if (!entry)
    throw UsageError("--user: there is no user '" + user + "'");
  return *entry;
}

[[noreturn]] void refuse_user(const std::string& user) {
  throw Error("cannot become the user " + user + ": " + errno_text() + "; --user takes root to start from");
}

// ---- System calls ----

/// Names of calls by number, found before the cage is shut: a signal's handler cannot ask for them.
std::array<const char*, 1024> call_names{};
std::string refused_prefix;
OnRefusedCall on_refused = nullptr;

/// One line at once, so that what another stage says does not come in between. Only what a signal's handler may do.
void say(std::initializer_list<const char*> texts) noexcept {
  std::array<char, 512> line;
  std::size_t length = 0;
  for (const char* text : texts) {
    const std::size_t octets = std::min(std::strlen(text), line.size() - length);
    std::memcpy(line.data() + length, text, octets);
    length += octets;
  }
  static_cast<void>(!::write(STDERR_FILENO, line.data(), length));
}

extern "C" void on_forbidden_call(int, siginfo_t* info, void*) {
  const auto number = static_cast<std::size_t>(info->si_syscall);
  const char* name = number < call_names.size() && call_names[number] ? call_names[number] : "of an unknown number";
  say({refused_prefix.c_str(), name,
       " is not allowed in this stage's cage: it did what it never does, so its input may be hostile. Keep the input "
       "and report it; --no-sandbox runs without cages\n"});
  if (on_refused)
    on_refused(name);
  _exit(1);
}

void name_calls(const std::string& program) {
  refused_prefix = program + ": error: the call ";
  for (std::size_t number = 0; number < call_names.size(); ++number)
    call_names[number] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
}

void add_call(scmp_filter_ctx filter, const CageCall& call) {
  const int number = seccomp_syscall_resolve_name(call.name);
  if (number < 0) // not of this architecture
    return;
  std::array<scmp_arg_cmp, sizeof call.where / sizeof *call.where> compared{};
  unsigned count = 0;
  for (const auto& where : call.where)
    if (where.argument != CageCall::none) {
      const auto value = where.value == CageCall::this_process ? static_cast<scmp_datum_t>(getpid()) : where.value;
      compared[count++] = {where.argument, SCMP_CMP_MASKED_EQ, where.mask, value};
    }
  const auto action = call.error == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(static_cast<std::uint16_t>(call.error));
  const int error = seccomp_rule_add_array(filter, action, number, count, compared.data());
  if (error != 0 && error != -EEXIST) // a list may say again what the base says
    refuse(std::string("the rule for ") + call.name, -error);
}

void shut_calls(const CageRules& rules) {
  name_calls(rules.program);
  struct sigaction action {};
  action.sa_sigaction = on_forbidden_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  sigaction(SIGSYS, &action, nullptr);
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_TRAP), &seccomp_release);
  if (!filter)
    refuse("the filter of system calls", ENOMEM);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS); // numbers of another architecture
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);                       // all threads
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);                    // looked up as a tree
  // Kernels before 5.16 would slow down every load behind a store, against code that is hostile itself; here data is.
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1);
  for (const auto& list : rules.calls)
    for (const auto& call : list)
      add_call(filter.get(), call);
  if (const int error = seccomp_load(filter.get()); error != 0)
    refuse("the filter of system calls", -error);
}

} // namespace

void on_refused_call(OnRefusedCall call) noexcept {
  on_refused = call;
}

void become_user(const std::string& user) {
  const passwd& entry = find_user(user);
  if (geteuid() == entry.pw_uid && getuid() == entry.pw_uid)
    return;
  int death_signal = 0;
  prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  auto sets = capabilities();
  if (initgroups(user.c_str(), entry.pw_gid) != 0 || setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid) != 0 ||
      setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid) != 0)
    refuse_user(user);
  for (auto& set : sets)
    set.effective = set.permitted; // which the change of users cleared
  if (const int error = set_capabilities(sets); error != 0)
    refuse("capabilities", error);
  // What the kernel forgot, or undid.
  if (death_signal != 0)
    prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0);
  if (ORBWEAVER_SANITIZED)
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); // the search for leaks traces the process
}

AsUser::AsUser(const std::string& user) : before_user_(geteuid()), before_group_(getegid()) {
  if (user.empty())
    return;
  const passwd& entry = find_user(user);
  if (entry.pw_uid != before_user_ &&
      (initgroups(user.c_str(), entry.pw_gid) != 0 || setegid(entry.pw_gid) != 0 || seteuid(entry.pw_uid) != 0))
    refuse_user(user);
}

AsUser::~AsUser() {
  // What was given up for a while can be had again: the saved ids are still there. The groups stay those of the user.
  if (geteuid() != before_user_ && (seteuid(before_user_) != 0 || setegid(before_group_) != 0))
    std::abort();
}

std::string enter_cage(const CageRules& rules, const std::string& user) {
  if (!user.empty())
    become_user(user);
  // A sanitizer opens files and makes calls of its own, at the end most of all.
  std::string missing;
  FileDescriptor landlock;
  if (!ORBWEAVER_SANITIZED)
    landlock = landlock_rules(rules.paths, rules.tcp, missing);
  if (auto kept_back = drop_in_other_threads(landlock.get()); !kept_back.empty())
    missing = kept_back;
  drop.sets = kept_of(rules);
  drop.landlock = landlock.get();
  drop.run();
  if (const int error = drop.error.exchange(0, std::memory_order_relaxed); error != 0)
    refuse("rights", error);
  if (!ORBWEAVER_SANITIZED && !rules.calls.empty())
    shut_calls(rules);
  return missing;
}

} // namespace orbweaver
