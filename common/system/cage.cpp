// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/cage.hpp"

#include "common/error.hpp"
#include "common/system/landlock.hpp"
#include "config.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <grp.h>
#include <linux/capability.h>
#include <memory>
#include <pwd.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orbweaver {

namespace {

void refuse(const std::string& what) {
  throw Error("cannot enter the cage: " + what + ": " + errno_text() + "; --no-sandbox leaves it out, to find out why");
}

/// Names of calls by number, found before the cage is shut: a signal's handler cannot ask for them.
std::array<const char*, 1024> call_names{};
std::string refused_prefix;
OnRefusedCall on_refused = nullptr;

void say(const char* text) noexcept {
  static_cast<void>(!::write(STDERR_FILENO, text, std::strlen(text)));
}

extern "C" void on_forbidden_call(int, siginfo_t* info, void*) {
  const auto number = static_cast<std::size_t>(info->si_syscall);
  const char* name = number < call_names.size() && call_names[number] ? call_names[number] : "of an unknown number";
  say(refused_prefix.c_str());
  say(name);
  say(" is not allowed in this stage's cage: it did what it never does, so its input may be hostile. Keep the input "
      "and "
      "report it; --no-sandbox runs without cages\n");
  if (on_refused)
    on_refused(name);
  _exit(1);
}

void name_calls(const std::string& program) {
  refused_prefix = program + ": error: the call ";
  for (std::size_t number = 0; number < call_names.size(); ++number)
    call_names[number] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number));
}

/// Without the right to (CAP_SETPCAP) the set stays: with no_new_privs nothing can be taken from it.
void empty_bounding_set(const std::vector<unsigned>& kept) {
  for (unsigned capability = 0;; ++capability) {
    bool stays = false;
    for (const unsigned one : kept)
      stays = stays || one == capability;
    if (!stays && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL || errno == EPERM)
        return; // past the last one
      refuse("the bounding set of capabilities");
    }
  }
}

void become(const std::string& user, bool keeps_capabilities) {
  errno = 0;
  const passwd* const entry = getpwnam(user.c_str());
  if (!entry)
    throw UsageError("--user: there is no user '" + user + "'");
  if (keeps_capabilities)
    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  const bool is_already = geteuid() == entry->pw_uid && getuid() == entry->pw_uid;
  if (!is_already &&
      (initgroups(user.c_str(), entry->pw_gid) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
       setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0))
    refuse("--user " + user + " (only root may become another user)");
}

void keep_capabilities(const std::vector<unsigned>& kept) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> had{}, sets{};
  if (syscall(SYS_capget, &header, had.data()) != 0)
    refuse("capabilities");
  for (const unsigned capability : kept) {
    // Those that it has not it cannot keep.
    const std::uint32_t bit = had[capability / 32].permitted & (1U << (capability % 32));
    sets[capability / 32].effective |= bit;
    sets[capability / 32].permitted |= bit;
  }
  if (syscall(SYS_capset, &header, sets.data()) != 0)
    refuse("capabilities");
}

void add_call(scmp_filter_ctx filter, const CageCall& call) {
  const int number = seccomp_syscall_resolve_name(call.name);
  if (number == __NR_SCMP_ERROR || number < 0)
    return;
  int error = 0;
  switch (call.when) {
  case CageCall::When::always:
    error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    break;
  case CageCall::When::masked: {
    const scmp_arg_cmp compare{call.argument, SCMP_CMP_MASKED_EQ, call.mask, call.value};
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &compare);
    break;
  }
  case CageCall::When::own_process: {
    const scmp_arg_cmp compare{call.argument, SCMP_CMP_EQ, static_cast<scmp_datum_t>(getpid()), 0};
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &compare);
    break;
  }
  case CageCall::When::not_there:
    error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    break;
  }
  errno = -error;
  if (error != 0 && error != -EEXIST) // a list may say again what the base says
    refuse(std::string("the rule for ") + call.name);
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
    refuse("the filter of system calls");
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);    // all threads
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2); // looked up as a tree, not one after another
  for (const auto& list : rules.calls)
    for (const auto& call : list)
      add_call(filter.get(), call);
  const int error = seccomp_load(filter.get());
  errno = -error;
  if (error != 0)
    refuse("the filter of system calls");
}

} // namespace

void on_refused_call(OnRefusedCall call) noexcept {
  on_refused = call;
}

std::string enter_cage(const CageRules& rules, const std::string& user) {
  int death_signal = 0;
  prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    refuse("no_new_privs");
  empty_bounding_set(rules.capabilities);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (!user.empty())
    become(user, !rules.capabilities.empty());
  keep_capabilities(rules.capabilities);
  if (death_signal != 0)
    prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0); // another user: the kernel forgets it
  // A sanitizer opens files and makes calls of its own, at the end most of all.
  if (ORBWEAVER_SANITIZED)
    return "this is a build with a sanitizer, which keeps neither files nor system calls out";
  std::string missing;
  if (rules.files)
    missing = restrict_by_landlock(rules.paths, rules.tcp);
  if (!rules.calls.empty())
    shut_calls(rules);
  return missing;
}

} // namespace orbweaver
