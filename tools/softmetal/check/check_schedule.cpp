// The order of threads in checking mode, and what is wrong with how they meet.
#include <cstring>

#include "check/check.h"
#include "count/count.h"
#include "softmetal/cpu/fiber.h"

namespace softmetal
{

namespace
{

// The first at or after a random place, around the end.
uint32_t random_bit(uint32_t set, uint64_t random)
{
    uint32_t from = random >> 59;
    uint32_t later = set >> from << from;
    return first_bit(later ? later : set);
}

uint32_t below(uint32_t limit, uint64_t random)
{
    return uint32_t((random >> 32) * limit >> 32);
}

uint32_t all_lanes(const simd &s)
{
    return s.lanes == simd_width ? UINT32_MAX : (1u << s.lanes) - 1;
}

} // namespace

// Where a thread stands: the one that runs now tells itself, others saved it when they stopped.
const void *checker::frame_of(const thread &t, const void *frame) const
{
    if (&t == now) {
        return frame;
    }
#if defined(__x86_64__)
    // The saved rbp and the return address make a frame like any other.
    return t.sp ? static_cast<void *const *>(t.sp) + 5 : nullptr;
#else
    return t.sp ? static_cast<void *const *>(t.sp) + 18 : nullptr;
#endif
}

thread *checker::next(const void *frame)
{
    for (;;) {
        uint64_t dice = random();
        // Mostly the simdgroup of before, as a core would: otherwise they march in step.
        uint32_t start = now && dice % 4 ? now->simd->index : below(g->simds, dice);
        uint32_t chosen = UINT32_MAX;
        for (uint32_t i = 0; i < g->simds; i++) {
            uint32_t at = start + i < g->simds ? start + i : start + i - g->simds;
            if (g->simd[at].ready || g->simd[at].waiting) {
                chosen = at;
                break;
            }
        }
        if (chosen == UINT32_MAX) {
            bool any = false;
            for (uint32_t i = 0; i < g->simds; i++) {
                any = any || g->simd[i].alive;
            }
            if (!any) {
                return now = nullptr;
            }
            judge_barrier(frame);
            release();
            continue;
        }
        simd &s = g->simd[chosen];
        if (!s.ready) {
            judge_operation(s, first_waiting(s), frame);
            uint32_t mask = serve(s);
            if (count) {
                count->met(s, mask);
            }
        }
        return now = &s.threads[random_bit(s.ready, dice << 8)];
    }
}

// Between any two accesses another thread may run: more often at atomics, where algorithms turn.
void checker::perhaps_switch(uint32_t kind, const void *frame)
{
    uint64_t one_in = kind & access_atomic ? 8 : 32;
    if (random() % one_in != 0) {
        return;
    }
    thread *from = now, *to = next(frame);
    if (to != from) {
        leave(&from->sp, *g, to);
    }
}

void checker::release()
{
    uint32_t spaces = UINT32_MAX;
    for (uint32_t i = 0; i < g->simds; i++) {
        simd &s = g->simd[i];
        for (uint32_t rest = s.alive; rest; rest &= rest - 1) {
            spaces &= barrier_spaces[s.threads[first_bit(rest)].index];
        }
        s.ready = s.alive;
        s.barrier = 0;
    }
    if (count) {
        count->barrier(*g);
    }
    meetings++;
    epoch[0] += spaces & space_device ? 1 : 0;
    epoch[1] += spaces & space_threadgroup ? 1 : 0;
}

// All live threads wait at a barrier: the same one, and have none returned before?
void checker::judge_barrier(const void *frame)
{
    const thread *first = nullptr, *elsewhere = nullptr;
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < g->simds; i++) {
        simd &s = g->simd[i];
        for (uint32_t rest = s.alive; rest; rest &= rest - 1) {
            const thread &t = s.threads[first_bit(rest)];
            first = first ? first : &t;
            elsewhere = barrier_site[t.index] != barrier_site[first->index] ? &t : elsewhere;
            waiting++;
        }
    }
    if (waiting == g->count && !elsewhere) {
        return;
    }
    finding f = {};
    f.kind = SM_REPORT_DIVERGENT_BARRIER;
    // Of two barriers the later in the source is likely the one not meant for all.
    if (elsewhere && barrier_site[elsewhere->index] < barrier_site[first->index]) {
        first = elsewhere;
    }
    f.frame = frame_of(*first, frame);
    f.who = first;
    f.text = elsewhere ? "threads of the threadgroup wait at different threadgroup_barriers"
                       : "threadgroup_barrier reached by " + std::to_string(waiting) + " of " +
                             std::to_string(g->count) + " threads; the others have returned";
    tell(f);
}

void checker::judge_operation(simd &s, uint32_t mask, const void *frame)
{
    uint32_t lane = first_bit(mask);
    bool fits = mask == all_lanes(s);
    for (resolver r : any_lanes) {
        fits = fits || s.resolve[lane] == r;
    }
    if (fits) {
        return;
    }
    finding f = {};
    f.kind = SM_REPORT_DIVERGENT_SIMD;
    f.frame = frame_of(s.threads[lane], frame);
    f.who = &s.threads[lane];
    char lanes[16];
    std::snprintf(lanes, sizeof lanes, "%08x", mask);
    f.text = "simdgroup operation reached by only " + std::to_string(__builtin_popcount(mask)) +
             " of " + std::to_string(s.lanes) + " lanes (mask " + lanes + ")";
    tell(f);
}

void checker::barrier(thread &t, uint32_t spaces, uint32_t site)
{
    barrier_spaces[t.index] = spaces;
    barrier_site[t.index] = site;
}

// Orders the lanes only if all of them are there.
void checker::simd_barrier(simd &s, uint32_t mask, uint32_t spaces)
{
    if (count) {
        count->simd_barrier();
    }
    if (mask == all_lanes(s) || mask == s.alive) {
        simd_meetings[s.index]++;
        simd_epoch[s.index][0] += spaces & space_device ? 1 : 0;
        simd_epoch[s.index][1] += spaces & space_threadgroup ? 1 : 0;
    }
}

} // namespace softmetal
