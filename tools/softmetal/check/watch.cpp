// What watchers share, and the one that only counts.
#include "check/watch.h"

#include <algorithm>

#include "count/count.h"
#include "softmetal/cpu/fiber.h"

namespace softmetal
{
namespace
{

// Of the launch that this thread of the host runs; kernels know no context.
thread_local watcher *active = nullptr;

void on_access(const void *p, size_t bytes, uint32_t kind, const void *frame)
{
    if (active) {
        active->access(uintptr_t(p), bytes, kind, frame);
    }
}

thread *on_next(group &, const void *frame)
{
    return active->next(frame);
}

void on_barrier(thread &t, uint32_t spaces, uint32_t site)
{
    active->barrier(t, spaces, site);
}

void on_simd_barrier(simd &s, uint32_t mask, uint32_t spaces)
{
    active->simd_barrier(s, mask, spaces);
}

void *on_static_block(group &, const void *key, size_t bytes)
{
    return active->static_block(key, bytes);
}

uint64_t on_random()
{
    return active ? active->random() : 0;
}

void on_matrix(uint32_t operation)
{
    active->matrix(operation);
}

void on_array_index(int64_t index, const char *array, const void *frame)
{
    if (active) {
        active->array_index(index, array, frame);
    }
}

} // namespace

void watcher::install(check_hooks &hooks)
{
    hooks.access = on_access;
    hooks.next = on_next;
    hooks.barrier = on_barrier;
    hooks.simd_barrier = on_simd_barrier;
    hooks.static_block = on_static_block;
    hooks.random = on_random;
    hooks.matrix = on_matrix;
    hooks.array_index = on_array_index;
}

watcher::turn::turn(watcher &w)
{
    active = &w;
}

watcher::turn::~turn()
{
    active = nullptr;
}

void watcher::matrix(uint32_t operation)
{
    if (count) {
        count->matrix(operation);
    }
}

bool watcher::prepare(const launch &l, const sm_dispatch &d, std::string &error)
{
    if (!own.g && !own.reserve(error)) {
        return false;
    }
    g = own.g;
    current = l;
    leave = module_of(*d.pipeline).entry->hooks->go_on;
    object_begin = module_of(*d.pipeline).begin;
    object_end = module_of(*d.pipeline).end;
    return own.need_stacks(l.size[0] * l.size[1] * l.size[2], error);
}

bool watcher::is_private(uintptr_t address, size_t bytes, bool write) const
{
    if (address - uintptr_t(g) < arena_bytes) {
        return true;
    }
    if (address - object_begin < object_end - object_begin) {
        return true;
    }
    return !write && address - uintptr_t(&current) <= sizeof current - bytes;
}

// ---- counting ------------------------------------------------------------------------------------

void counting_watcher::access(uintptr_t address, size_t bytes, uint32_t kind, const void *frame)
{
    if (bytes == 0) {
        return;
    }
    if (address - uintptr_t(g->memory) < threadgroup_bytes) {
        count->local(bytes, kind);
    } else if (!is_private(address, bytes, kind & access_write)) {
        count->access(self(), address, bytes, kind, return_address(frame));
    }
}

thread *counting_watcher::choose(simd &s, uint32_t after)
{
    struct {
        counter &to;
        group &of;
        void met(simd &s, uint32_t mask) const
        {
            to.met(s, mask);
        }
        void passed_barrier() const
        {
            to.barrier(of);
        }
    } meetings = {*count, *g};
    return choose_thread(*g, &s, after, meetings);
}

thread *counting_watcher::next(const void *)
{
    const thread &stopped = *g->running[self_stack()];
    return choose(*stopped.simd, stopped.lane);
}

void counting_watcher::barrier(thread &, uint32_t, uint32_t)
{
}

void counting_watcher::simd_barrier(simd &, uint32_t, uint32_t)
{
    count->simd_barrier();
}

void *counting_watcher::static_block(const void *key, size_t bytes)
{
    return group_block(*g, key, bytes);
}

uint64_t counting_watcher::random()
{
    return 0;
}

bool counting_watcher::run(const launch &l, const sm_dispatch &d, time_limit &limit,
                           std::string &error)
{
    if (!prepare(l, d, error)) {
        return false;
    }
    module_of(*d.pipeline).entry->hooks->adversarial = false; // devices share a loaded object
    turn mine(*this);
    uint64_t groups = uint64_t(l.groups[0]) * l.groups[1] * l.groups[2];
    g->fault = fault_none;
    deadline end(*g, limit);
    for (uint64_t i = 0; i < groups && g->fault == fault_none; i++) {
        prepare_group(*g, current, i);
        count->begin_group(*g);
        leave(&g->main_sp, *g, choose(g->simd[0], simd_width - 1));
    }
    error = g->fault == fault_none ? "" : fault_text(g->fault);
    return g->fault == fault_none;
}

} // namespace softmetal
