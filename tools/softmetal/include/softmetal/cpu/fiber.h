// Fibers and the scheduler of one threadgroup. Everything is inline: the kernel object and the
// runtime each carry a copy, and a switch never crosses a library boundary.
//
// Order: the lanes of a simdgroup run one after another, each until it waits; when all wait at one
// simd operation it is computed and they go on; when all wait at a barrier the next simdgroup runs.
// A finished fiber runs the next thread itself, so a kernel that never waits uses a single stack.
#pragma once

#include "softmetal/cpu/check.h"

namespace softmetal
{

// Saves the callee-saved registers on the stack, its address in *save, and continues at `to`.
extern "C" void softmetal_switch(void **save, void *to) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
// Jumps instead of returning: the processor's return predictor cannot know the other stack.
asm(R"(
    .text
    .p2align 4
    .weak softmetal_switch
    .hidden softmetal_switch
    .type softmetal_switch,@function
softmetal_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
    .size softmetal_switch, .-softmetal_switch
)");
constexpr size_t saved_words = 6;

inline void *stack_pointer()
{
    void *sp;
    asm("movq %%rsp, %0" : "=r"(sp));
    return sp;
}
#elif defined(__aarch64__)
#if defined(__APPLE__)
#error "the software Metal device runs where there is no Metal"
#endif
asm(R"(
    .text
    .p2align 4
    .weak softmetal_switch
    .hidden softmetal_switch
    .type softmetal_switch,%function
softmetal_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp d8, d9, [sp, #80]
    stp d10, d11, [sp, #96]
    stp d12, d13, [sp, #112]
    stp d14, d15, [sp, #128]
    stp x29, x30, [sp, #144]
    mov x2, sp
    str x2, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp d8, d9, [sp, #80]
    ldp d10, d11, [sp, #96]
    ldp d12, d13, [sp, #112]
    ldp d14, d15, [sp, #128]
    ldp x29, x30, [sp, #144]
    add sp, sp, #160
    br x30
    .size softmetal_switch, .-softmetal_switch
)");
constexpr size_t saved_words = 20;

inline void *stack_pointer()
{
    void *sp;
    asm("mov %0, sp" : "=r"(sp));
    return sp;
}
#else
#error "no stack switch for this processor"
#endif

// Only on a fiber: the group and the thread that this stack is running.
inline group &self_group()
{
    return *reinterpret_cast<group *>(uintptr_t(stack_pointer()) & ~uintptr_t(arena_bytes - 1));
}

inline uint32_t self_stack()
{
    return uint32_t((uintptr_t(stack_pointer()) & (stacks_offset - 1)) / stack_bytes);
}

// Constant for as long as a thread runs, so a kernel asks once and keeps the answer in a register.
__attribute__((const, noinline)) inline thread &self()
{
    return *self_group().running[self_stack()];
}

inline uint32_t first_bit(uint32_t set)
{
    return uint32_t(__builtin_ctz(set));
}

// The lanes to serve when not all wait at the same place: those at the first site in the source, so
// that the lanes still in a loop or a branch catch up with those that are past it.
inline uint32_t first_waiting(const simd &s)
{
    if (!s.mixed) {
        return s.waiting;
    }
    uint32_t site = UINT32_MAX, mask = 0;
    for (uint32_t rest = s.waiting; rest; rest &= rest - 1) {
        uint32_t lane = first_bit(rest);
        if (s.site[lane] < site) {
            site = s.site[lane];
            mask = 0;
        }
        mask |= s.site[lane] == site ? 1u << lane : 0;
    }
    return mask;
}

inline uint32_t serve(simd &s)
{
    uint32_t mask = first_waiting(s);
    s.resolve[first_bit(mask)](s, mask);
    s.waiting &= ~mask;
    s.ready = mask;
    // Those left wait at unknown, perhaps different places.
    s.first_site = UINT32_MAX;
    s.mixed = s.waiting != 0;
    return mask;
}

// What a scheduler tells where nobody counts.
struct uncounted_meetings {
    static void met(simd &, uint32_t)
    {
    }
    static void passed_barrier()
    {
    }
};

// The next thread of the group to run after one of `s` stopped, or null when all have returned.
template <class Meetings>
inline thread *choose_thread(group &g, simd *s, uint32_t after, Meetings meetings)
{
    for (;;) {
        if (s->ready) {
            uint32_t later = s->ready & ~((2u << after) - 1);
            return &s->threads[first_bit(later ? later : s->ready)];
        }
        after = simd_width - 1;
        if (s->waiting) {
            uint32_t mask = serve(*s);
            meetings.met(*s, mask);
            continue;
        }
        uint32_t at = s->index, alive = 0;
        for (++at; at < g.simds && !g.simd[at].ready; ++at) {
        }
        if (at < g.simds) {
            s = &g.simd[at];
            continue;
        }
        for (at = 0; at < g.simds; ++at) {
            simd &each = g.simd[at];
            each.ready = each.alive;
            each.barrier = 0;
            if (each.alive && !alive) {
                alive = each.alive;
                s = &each;
            }
        }
        if (!alive) {
            return nullptr;
        }
        meetings.passed_barrier();
    }
}

inline thread *next_thread(group &g, simd *s, uint32_t after)
{
#if defined(SOFTMETAL_CHECK)
    (void)s;
    (void)after;
    return hooks.next(g, __builtin_frame_address(0));
#else
    return choose_thread(g, s, after, uncounted_meetings());
#endif
}

extern "C" void softmetal_fiber_main() __attribute__((visibility("hidden"), weak, noinline));

// A stack for a thread that begins; the tops are staggered, or all of them share one cache set.
inline void begin_thread(group &g, thread &t)
{
    uint32_t stack = g.free_stacks ? g.free_stack[--g.free_stacks] : g.next_stack++;
    char *base = reinterpret_cast<char *>(&g) + stacks_offset + stack * stack_bytes;
    uintptr_t top = uintptr_t(base + stack_bytes) - 256 - ((stack * 320u) & 0x3fc0u);
    uintptr_t *frame = reinterpret_cast<uintptr_t *>(top);
    uintptr_t entry = reinterpret_cast<uintptr_t>(&softmetal_fiber_main);
#if defined(__x86_64__)
    frame[1] = 0; // where a return address would be
    *frame = entry;
    frame -= saved_words;
    frame[saved_words - 1] = 0;
#else
    frame -= saved_words;
    frame[saved_words - 2] = 0;
    frame[saved_words - 1] = entry;
#endif
    g.running[stack] = &t;
    t.sp = frame;
}

inline void go_on(void **save, group &g, thread *next)
{
    if (!next) {
        softmetal_switch(save, g.main_sp);
        return;
    }
    if (!next->sp) {
        begin_thread(g, *next);
    }
    softmetal_switch(save, next->sp);
}

extern "C" void softmetal_fiber_main()
{
    group &g = self_group();
    uint32_t stack = self_stack();
    thread *t = g.running[stack];
    for (;;) {
        g.launch->body(*t);
        simd &s = *t->simd;
        s.alive &= ~(1u << t->lane);
        s.ready &= ~(1u << t->lane);
        thread *next = next_thread(g, &s, t->lane);
        if (next && !next->sp) {
            next->sp = g.main_sp; // begun: any address but null
            g.running[stack] = next;
            t = next;
            continue;
        }
        g.free_stack[g.free_stacks++] = uint16_t(stack);
        void *nowhere;
        go_on(&nowhere, g, next);
    }
}

// Waits at a simd operation until `resolve` has run for all lanes that take part.
SOFTMETAL_QUIET __attribute__((noinline)) inline void wait_simd(thread &t, uint32_t site,
                                                                resolver resolve)
{
    simd &s = *t.simd;
    uint32_t bit = 1u << t.lane;
    s.site[t.lane] = site;
    s.resolve[t.lane] = resolve;
    if (!s.waiting) {
        s.first_site = site;
        s.mixed = 0;
    }
    s.mixed |= uint32_t(s.first_site != site);
    s.waiting |= bit;
    s.ready &= ~bit;
    thread *next = next_thread(*t.group, &s, t.lane);
    if (next != &t) {
        go_on(&t.sp, *t.group, next);
    }
}

SOFTMETAL_QUIET __attribute__((noinline)) inline void wait_group(thread &t)
{
    simd &s = *t.simd;
    uint32_t bit = 1u << t.lane;
    s.barrier |= bit;
    s.ready &= ~bit;
    thread *next = next_thread(*t.group, &s, t.lane);
    if (next != &t) {
        go_on(&t.sp, *t.group, next);
    }
}

// The memory of a threadgroup declaration, the same for all threads of the group. On a fiber.
inline void *group_block(group &g, const void *key, size_t bytes)
{
    uint32_t i = 0;
    while (i < g.static_blocks && g.static_key[i] != key) {
        i++;
    }
    if (i == g.static_blocks) {
        uint32_t at = (g.memory_used + 15) & ~15u;
        if (i == max_static_blocks || bytes > threadgroup_bytes - at) {
            g.fault = i == max_static_blocks ? fault_static_blocks : fault_threadgroup_memory;
            softmetal_switch(&self().sp, g.main_sp); // the group ends here
        }
        g.static_key[i] = key;
        g.static_offset[i] = at;
        g.memory_used = at + uint32_t(bytes);
        g.static_blocks++;
    }
    return g.memory + g.static_offset[i];
}

// Runs the group, whose threads are set up, to its end on the calling thread of the host.
inline void run_group(group &g)
{
    thread *first = next_thread(g, &g.simd[0], simd_width - 1);
    if (first) {
        go_on(&g.main_sp, g, first);
    }
}

} // namespace softmetal
