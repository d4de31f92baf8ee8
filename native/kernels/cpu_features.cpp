#include "cpu_features.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#elif defined(_WIN32)
#define NOMINMAX
#include <windows.h>

#include <vector>
#endif
#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

namespace distiltune::kernels {
namespace {

Isa best_isa() {
#if defined(_MSC_VER) && defined(_M_X64)
  int leaf[4];
  __cpuid(leaf, 0);
  if (leaf[0] < 7) return Isa::scalar;
  __cpuid(leaf, 1);
  const bool fma = leaf[2] & 1 << 12, f16c = leaf[2] & 1 << 29, osxsave = leaf[2] & 1 << 27;
  if (!fma || !f16c || !osxsave) return Isa::scalar;
  const unsigned long long saved =
      _xgetbv(0);  // which registers the operating system keeps across a thread switch
  __cpuidex(leaf, 7, 0);
  const bool avx2 = leaf[1] & 1 << 5;
  const bool avx512 = leaf[1] & 1 << 16 && leaf[1] & 1 << 17 && leaf[1] & 1 << 30 && leaf[1] & 1 << 31;
  if (avx2 && avx512 && (saved & 0xe6) == 0xe6) return Isa::avx512;
  return avx2 && (saved & 6) == 6 ? Isa::avx2 : Isa::scalar;
#elif defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if defined(DISTILTUNE_EMULATE)
  const bool avx512 = true;
#else
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#endif
  return avx2 && avx512 ? Isa::avx512 : avx2 ? Isa::avx2 : Isa::scalar;
#elif defined(__aarch64__)
  return Isa::neon;  // part of the architecture
#else
  return Isa::scalar;
#endif
}

/** What multiplies small numbers: bytes with AVX-512's registers (leaf 7.0, ecx bit 11), with AVX2's (7.1,
 * eax bit 4) or with NEON's (FEAT_DotProd), bfloat16 (7.1, eax bit 5). */
struct Multipliers {
  bool avx512_vnni = false, avx_vnni = false, neon_dot = false, avx512_bf16 = false;
};
Multipliers find_multipliers() {
  Multipliers found;
#if defined(DISTILTUNE_EMULATE)
  found.avx512_vnni = found.avx_vnni = found.avx512_bf16 = true;
#elif defined(_MSC_VER) && defined(_M_X64)
  int leaf[4];
  __cpuidex(leaf, 7, 0);
  found.avx512_vnni = leaf[2] & 1 << 11;
  if (leaf[0] < 1) return found;
  __cpuidex(leaf, 7, 1);
  found.avx_vnni = leaf[0] & 1 << 4;
  found.avx512_bf16 = leaf[0] & 1 << 5;
#elif defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return found;
  found.avx512_vnni = c & 1u << 11;
  if (a < 1 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return found;
  found.avx_vnni = a & 1u << 4;
  found.avx512_bf16 = a & 1u << 5;
#elif defined(__aarch64__) && defined(__linux__)
  found.neon_dot = getauxval(AT_HWCAP) & 1ul << 20;  // HWCAP_ASIMDDP
#elif defined(__aarch64__) && defined(__APPLE__)
  found.neon_dot = true;  // every Mac with Arm has it
#endif
  return found;
}

#if defined(__linux__)

/** Distinct cores among the logical CPUs this thread may run on; 0 when that cannot be read. */
int allowed_cores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings)) siblings = std::to_string(cpu);
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

/** Cores' worth of time the cgroup grants; infinite without a quota. Version 2, then version 1; a container
 * sees its own group at the root of the mount, a service finds it below by /proc/self/cgroup. */
double cgroup_quota() {
  double quota = HUGE_VAL;
  const auto read2 = [&](const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");
    std::string limit;
    double period;
    if (file >> limit >> period && limit != "max" && period > 0)
      quota = std::min(quota, std::atof(limit.c_str()) / period);
  };
  const auto read1 = [&](const std::string& folder) {
    std::ifstream limit_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
    double limit, period;
    if (limit_file >> limit && period_file >> period && limit > 0 && period > 0)
      quota = std::min(quota, limit / period);
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t controllers = line.find(':'), path = line.find(':', controllers + 1);
    if (controllers == std::string::npos || path == std::string::npos) continue;
    const std::string names = line.substr(controllers + 1, path - controllers - 1);
    std::string folder = line.substr(path + 1);
    for (;; folder.resize(folder.rfind('/'))) {  // a parent's quota binds its children
      if (names.empty()) read2("/sys/fs/cgroup" + folder);
      if (names.find("cpu") != std::string::npos) read1("/sys/fs/cgroup/cpu" + folder);
      if (folder.find('/') == std::string::npos) break;
    }
  }
  return quota;
}

#elif defined(__APPLE__)

int allowed_cores() {
  int cores = 0;
  size_t size = sizeof cores;
  return sysctlbyname("hw.physicalcpu", &cores, &size, nullptr, 0) == 0 ? cores : 0;
}
double cgroup_quota() { return HUGE_VAL; }

#elif defined(_WIN32)

int allowed_cores() {
  DWORD_PTR allowed = 0, system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &allowed, &system)) return 0;
  DWORD bytes = 0;
  GetLogicalProcessorInformation(nullptr, &bytes);
  std::vector<SYSTEM_LOGICAL_PROCESSOR_INFORMATION> table(bytes /
                                                          sizeof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION));
  if (table.empty() || !GetLogicalProcessorInformation(table.data(), &bytes)) return 0;
  int cores = 0;
  for (const auto& entry : table)
    cores += entry.Relationship == RelationProcessorCore && (entry.ProcessorMask & allowed);
  return cores;
}
double cgroup_quota() { return HUGE_VAL; }

#else

int allowed_cores() { return 0; }
double cgroup_quota() { return HUGE_VAL; }

#endif

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    case Isa::neon:
      return "neon";
    case Isa::scalar:
      break;
  }
  return "scalar";
}

Isa isa() {
  static const Isa chosen = [] {
    const Isa best = best_isa();
    const char* wanted = std::getenv("DISTILTUNE_ISA");
    for (Isa each : {Isa::scalar, Isa::avx2}) {
      if (wanted && std::strcmp(wanted, name(each)) == 0 && each < best) return each;
    }
    return best;
  }();
  return chosen;
}

/** None where DISTILTUNE_ISA lowers isa(). */
static const Multipliers& multipliers() {
  static const Multipliers found = isa() < best_isa() ? Multipliers{} : find_multipliers();
  return found;
}

const char* name(Int8Isa isa) {
  switch (isa) {
    case Int8Isa::avx512_vnni:
      return "avx512vnni";
    case Int8Isa::avx_vnni:
      return "avxvnni";
    case Int8Isa::avx2:
      return "avx2";
    case Int8Isa::neon_dot:
      return "neondot";
    case Int8Isa::neon:
      return "neon";
    case Int8Isa::scalar:
      break;
  }
  return "scalar";
}

bool has(Int8Isa each) {
  const Multipliers& found = multipliers();
  switch (each) {
    case Int8Isa::avx512_vnni:
      return isa() == Isa::avx512 && found.avx512_vnni;
    case Int8Isa::avx_vnni:
      return isa() >= Isa::avx2 && found.avx_vnni;
    case Int8Isa::avx2:
      return isa() >= Isa::avx2;
    case Int8Isa::neon_dot:
      return isa() == Isa::neon && found.neon_dot;
    case Int8Isa::neon:
      return isa() == Isa::neon;
    case Int8Isa::scalar:
      break;
  }
  return true;
}

Int8Isa int8_isa() {
  for (Int8Isa each :
       {Int8Isa::avx512_vnni, Int8Isa::avx_vnni, Int8Isa::avx2, Int8Isa::neon_dot, Int8Isa::neon}) {
    if (has(each)) return each;
  }
  return Int8Isa::scalar;
}

const char* name(Bf16Isa isa) {
  switch (isa) {
    case Bf16Isa::avx512_bf16:
      return "avx512bf16";
    case Bf16Isa::avx2:
      return "avx2";
    case Bf16Isa::scalar:
      break;
  }
  return "scalar";
}

Bf16Isa bf16_isa() {
  static const Bf16Isa chosen = [] {
    if (isa() == Isa::avx512 && multipliers().avx512_bf16) return Bf16Isa::avx512_bf16;
    return isa() >= Isa::avx2 ? Bf16Isa::avx2 : Bf16Isa::scalar;
  }();
  return chosen;
}

int usable_cores() {
  int cores = allowed_cores();
  if (cores == 0) cores = static_cast<int>(std::thread::hardware_concurrency());
  const double quota = cgroup_quota();
  if (quota < cores) cores = static_cast<int>(std::lround(quota));
  return std::max(cores, 1);
}

}  // namespace distiltune::kernels
