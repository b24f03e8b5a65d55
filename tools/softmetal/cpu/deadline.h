// An end for kernels that have none: what a launch may take of a host thread's processor time.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <string>

#include "softmetal/cpu/abi.h"

namespace softmetal
{

// Of one launch, on all the host threads that run it.
struct time_limit {
    uint64_t ns = 0;                            // of each host thread; 0: none
    uintptr_t object_begin = 0, object_end = 0; // the kernel object in memory
    std::atomic<bool> passed{false};
};

// While it lives, this host thread runs threadgroups in `g`, and is taken out of them when the limit
// has passed: the group ends with fault_time. The thread may be anywhere, so a timer's signal moves it
// to the group's end. That happens only while it executes the kernel object, which holds no lock and owns
// nothing; elsewhere (in the watcher, in a function of libm) the signal comes again a little later.
class deadline
{
  public:
    deadline(group &g, time_limit &limit);
    deadline(const deadline &) = delete;
    deadline &operator=(const deadline &) = delete;
    ~deadline();

  private:
    group &of;
    time_limit &limit;
    timer_t timer = {};
    bool armed = false;
};

// Once before the first limit; false with a reason where the system has no such timers.
bool prepare_deadlines(std::string &error);

// Seconds of text, "0" for none; false if it is neither.
bool read_limit(const char *text, uint64_t &ns);

} // namespace softmetal
