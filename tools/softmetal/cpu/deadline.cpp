// Stops kernels that do not end.
#include "cpu/deadline.h"

#include <csignal>
#include <cstdlib>
#include <mutex>

#include <ucontext.h>
#include <unistd.h>

#include "softmetal/cpu/fiber.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace softmetal
{
namespace
{

constexpr int signal_number = SIGURG; // nobody misses it, and by default it does nothing
constexpr long again_ns = 5 * 1000 * 1000;

struct sigaction former;

// What the host thread was doing and what it is to do. Of aarch64 only Linux's layout.
struct registers {
    explicit registers(void *context) : c(static_cast<ucontext_t *>(context)->uc_mcontext)
    {
    }
#if defined(__x86_64__)
    uintptr_t pc() const
    {
        return uintptr_t(c.gregs[REG_RIP]);
    }
    uintptr_t sp() const
    {
        return uintptr_t(c.gregs[REG_RSP]);
    }
    // As if it had just been called.
    void call(void (*to)(group *), group *g)
    {
        constexpr greg_t direction = 0x400;
        c.gregs[REG_RSP] = greg_t((sp() & ~uintptr_t(15)) - 8);
        c.gregs[REG_RDI] = greg_t(uintptr_t(g));
        c.gregs[REG_EFL] &= ~direction;
        c.gregs[REG_RIP] = greg_t(uintptr_t(to));
    }
#else
    uintptr_t pc() const
    {
        return c.pc;
    }
    uintptr_t sp() const
    {
        return c.sp;
    }
    void call(void (*to)(group *), group *g)
    {
        c.sp = sp() & ~uintptr_t(15);
        c.regs[0] = uintptr_t(g);
        c.pc = uintptr_t(to);
    }
#endif

    mcontext_t &c;
};

// On the fiber that was interrupted, which nobody returns to.
void end_group(group *g)
{
    g->fault = fault_time;
    void *nowhere;
    softmetal_switch(&nowhere, g->main_sp);
}

// Of the launch that this host thread runs.
thread_local group *running = nullptr;
thread_local const time_limit *running_limit = nullptr;

void on_signal(int number, siginfo_t *info, void *context)
{
    if (info->si_code != SI_TIMER || info->si_value.sival_ptr != &former) {
        if (former.sa_flags & SA_SIGINFO) {
            former.sa_sigaction(number, info, context);
        } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
            former.sa_handler(number);
        }
        return;
    }
    group *g = running;
    registers r(context);
    if (!g || r.pc() < running_limit->object_begin || r.pc() >= running_limit->object_end ||
        r.sp() - uintptr_t(g) - stacks_offset >= arena_bytes - stacks_offset) {
        return;
    }
    r.call(end_group, g);
}

bool make_timer(timer_t &timer)
{
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal_number;
    event.sigev_value.sival_ptr = &former;
    event.sigev_notify_thread_id = gettid();
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, signal_number);
    return pthread_sigmask(SIG_UNBLOCK, &ours, nullptr) == 0 &&
           timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0;
}

} // namespace

bool prepare_deadlines(std::string &error)
{
    static std::once_flag once;
    static bool ready = false;
    std::call_once(once, [] {
        timer_t timer;
        struct sigaction action = {};
        action.sa_sigaction = on_signal;
        action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
        sigfillset(&action.sa_mask);
        ready = make_timer(timer) && timer_delete(timer) == 0 &&
                sigaction(signal_number, &action, &former) == 0;
    });
    if (!ready) {
        error = "no timers of processor time here: SOFTMETAL_LIMIT=0 does without";
    }
    return ready;
}

bool read_limit(const char *text, uint64_t &ns)
{
    char *end = nullptr;
    double seconds = std::strtod(text, &end);
    if (end == text || *end || !(seconds >= 0) || seconds > 1e6) {
        return false;
    }
    ns = seconds > 0 ? uint64_t(seconds * 1e9) + 1 : 0;
    return true;
}

deadline::deadline(group &g, time_limit &limit) : of(g), limit(limit)
{
    g.fault = fault_none; // of an earlier launch
    if (limit.ns == 0) {
        return;
    }
    running = &g;
    running_limit = &limit;
    itimerspec at = {};
    at.it_value.tv_sec = time_t(limit.ns / 1000000000);
    at.it_value.tv_nsec = long(limit.ns % 1000000000);
    at.it_interval.tv_nsec = again_ns;
    armed = make_timer(timer) && timer_settime(timer, 0, &at, nullptr) == 0;
}

deadline::~deadline()
{
    if (armed) {
        timer_delete(timer);
    }
    running = nullptr;
    if (of.fault == fault_time) {
        limit.passed = true;
    }
}

} // namespace softmetal
