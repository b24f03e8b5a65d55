// A launch in checking mode, and the memory that it may touch.
#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "softmetal/fiber.h"
#include "check.h"

namespace softmetal
{
namespace
{

// Of the launch that this thread of the host runs; kernels know no context.
thread_local checker *active = nullptr;

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

struct image {
    uintptr_t inside, begin, end;
};

// The extent of the loaded object that contains an address.
int find_image(dl_phdr_info *info, size_t, void *to)
{
    image &i = *static_cast<image *>(to);
    uintptr_t begin = UINTPTR_MAX, end = 0;
    for (unsigned k = 0; k < info->dlpi_phnum; k++) {
        const auto &h = info->dlpi_phdr[k];
        if (h.p_type == PT_LOAD) {
            begin = std::min<uintptr_t>(begin, info->dlpi_addr + h.p_vaddr);
            end = std::max<uintptr_t>(end, info->dlpi_addr + h.p_vaddr + h.p_memsz);
        }
    }
    if (i.inside < begin || i.inside >= end) {
        return 0;
    }
    i.begin = begin;
    i.end = end;
    return 1;
}

uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

} // namespace

void checker::install(check_hooks &hooks) const
{
    hooks.access = on_access;
    hooks.next = on_next;
    hooks.barrier = on_barrier;
    hooks.simd_barrier = on_simd_barrier;
    hooks.static_block = on_static_block;
    hooks.random = on_random;
}

uint64_t checker::random()
{
    state += 0x9e3779b97f4a7c15u;
    return mix(state);
}

bool checker::set_up(const launch &l, const sm_dispatch &d, std::string &error)
{
    if (!ready) {
        group_memory.reset(new (std::nothrow) char[group_memory_bytes + 256]);
        if (!group_memory || !own.reserve(error)) {
            error = error.empty() ? "no memory for the checking mode" : error;
            return false;
        }
        own.g->memory =
            reinterpret_cast<char *>((uintptr_t(group_memory.get()) + 255) & ~uintptr_t(255));
        ready = true;
    }
    g = own.g;
    current = l;
    dispatch = &d;
    check_hooks &hooks = *d.pipeline->module->entry->hooks;
    hooks.adversarial = adversarial != 0; // devices share a loaded object
    std::copy(std::begin(hooks.any_lanes), std::end(hooks.any_lanes), any_lanes);
    leave = hooks.go_on;
    stop.clear();
    launches++;
    state = mix(seed * 0x632be59bd9b4e019u + mix(adversarial + 1) + launches);
    first_serial = serial + 1;
    image i = {reinterpret_cast<uintptr_t>(l.body), 0, 0};
    dl_iterate_phdr(find_image, &i);
    object_begin = i.begin;
    object_end = i.end;
    object_path = d.pipeline->data->compiled.object;

    ranges.clear();
    const sm_function &f = *d.pipeline->function;
    for (size_t k = 0; k < f.argument_count; k++) {
        const sm_argument &a = f.arguments[k];
        if (a.kind != SM_ARGUMENT_BUFFER || !d.buffers[a.index]) {
            continue;
        }
        memory_range r;
        r.begin = uintptr_t(d.buffers[a.index]);
        r.end = r.begin + d.buffer_bytes[a.index];
        r.index = int(a.index);
        r.writable = a.writable;
        r.open_ended = d.buffer_bytes[a.index] == 0;
        ranges.push_back(r);
    }
    // Only what some argument can write can be raced for.
    if (d.follows_pointers) {
        memory_range anything;
        anything.begin = 4096; // a null pointer is stray all the same
        anything.end = UINTPTR_MAX;
        anything.writable = anything.open_ended = true;
        ranges.push_back(anything);
    }
    for (memory_range &r : ranges) {
        for (const memory_range &other : ranges) {
            r.shadowed |= other.writable && (other.open_ended || r.open_ended ||
                                             (other.begin < r.end && r.begin < other.end));
        }
    }
    return own.need_stacks(l.size[0] * l.size[1] * l.size[2], error);
}

bool checker::add_block(int index, const void *key, size_t bytes)
{
    if (bytes > threadgroup_bytes - block_bytes) {
        return false;
    }
    memory_range r;
    r.begin = uintptr_t(g->memory) + ((block_top + 15) & ~size_t(15));
    r.end = r.begin + bytes;
    r.index = index;
    r.key = key;
    r.writable = r.shadowed = true;
    blocks.push_back(r);
    block_bytes += bytes;
    block_top = r.end - uintptr_t(g->memory) + guard_bytes;
    return true;
}

void checker::begin_group(uint64_t number)
{
    prepare_group(*g, current, number);
    serial++;
    blocks.clear();
    block_top = guard_bytes;
    block_bytes = 0;
    for (unsigned i = 0; i < max_buffers; i++) {
        if (dispatch->threadgroup_bytes[i]) {
            add_block(int(i), nullptr, dispatch->threadgroup_bytes[i]);
            current.threadgroup_offset[i] = uint32_t(blocks.back().begin - uintptr_t(g->memory));
        }
    }
    // What is not initialised shall look like it: not a number, and far out of any range.
    std::memset(g->memory, 0xff, group_memory_bytes);
    epoch[0] = epoch[1] = 0;
    std::memset(simd_epoch, 0, sizeof simd_epoch);
    meetings = 0;
    std::memset(simd_meetings, 0, sizeof simd_meetings);
}

void *checker::static_block(const void *key, size_t bytes)
{
    for (const memory_range &b : blocks) {
        if (b.key == key) {
            return reinterpret_cast<void *>(b.begin);
        }
    }
    bool many = blocks.size() >= max_buffers + max_static_blocks;
    if (many || !add_block(-1, key, bytes)) {
        g->fault = many ? fault_static_blocks : fault_threadgroup_memory;
        void *nowhere;
        softmetal_switch(&nowhere, g->main_sp);
    }
    return reinterpret_cast<void *>(blocks.back().begin);
}

bool checker::run(const launch &l, const sm_dispatch &d, std::string &error)
{
    std::lock_guard<std::mutex> one(one_dispatch);
    if (!set_up(l, d, error)) {
        return false;
    }
    active = this;
    // Every group once, in the order of a random step through all of them.
    uint64_t count = uint64_t(l.groups[0]) * l.groups[1] * l.groups[2];
    uint64_t at = random() % count, step = count > 1 ? random() % count | 1 : 1;
    while (std::gcd(step, count) != 1) {
        step += 2;
    }
    step %= std::max<uint64_t>(count, 2);
    for (uint64_t i = 0; i < count; i++, at = (at + step) % count) {
        begin_group(at);
        thread *first = next(nullptr);
        if (first) {
            leave(&g->main_sp, *g, first);
        }
        if (g->fault != fault_none) {
            break;
        }
    }
    active = nullptr;
    switch (g->fault) {
    case fault_none: return true;
    case fault_stray: error = stop; return false;
    case fault_static_blocks: error = "more than 32 threadgroup variables"; return false;
    default: error = "threadgroup memory, static and dynamic, exceeds 32768 bytes"; return false;
    }
}

} // namespace softmetal
