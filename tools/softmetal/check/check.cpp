// A launch in checking mode, and the memory that it may touch.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "check/check.h"
#include "count/count.h"
#include "softmetal/cpu/fiber.h"

namespace softmetal
{
namespace
{

uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

} // namespace

uint64_t checker::random()
{
    state += 0x9e3779b97f4a7c15u;
    return mix(state);
}

bool checker::set_up(const launch &l, const sm_dispatch &d, std::string &error)
{
    if (!prepare(l, d, error)) {
        return false;
    }
    if (!group_memory) {
        group_memory.reset(new (std::nothrow) char[group_memory_bytes + 256]);
        if (!group_memory) {
            error = "no memory for the checking mode";
            return false;
        }
        g->memory =
            reinterpret_cast<char *>((uintptr_t(group_memory.get()) + 255) & ~uintptr_t(255));
    }
    dispatch = &d;
    check_hooks &hooks = *module_of(*d.pipeline).entry->hooks;
    hooks.adversarial = adversarial != 0; // devices share a loaded object
    std::copy(std::begin(hooks.any_lanes), std::end(hooks.any_lanes), any_lanes);
    stop.clear();
    now = nullptr; // of a launch that was stopped
    launches++;
    state = mix(seed * 0x632be59bd9b4e019u + mix(adversarial + 1) + launches);
    first_serial = serial + 1;
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
    return true;
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
    if (count) {
        count->begin_group(*g);
    }
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

bool checker::run(const launch &l, const sm_dispatch &d, time_limit &limit, std::string &error)
{
    if (!set_up(l, d, error)) {
        return false;
    }
    turn mine(*this);
    deadline end(*g, limit);
    // Every group once, in the order of a random step through all of them.
    uint64_t groups = uint64_t(l.groups[0]) * l.groups[1] * l.groups[2];
    uint64_t at = random() % groups, step = groups > 1 ? random() % groups | 1 : 1;
    while (std::gcd(step, groups) != 1) {
        step += 2;
    }
    step %= std::max<uint64_t>(groups, 2);
    for (uint64_t i = 0; i < groups; i++, at = (at + step) % groups) {
        begin_group(at);
        thread *first = next(nullptr);
        if (first) {
            leave(&g->main_sp, *g, first);
        }
        if (g->fault != fault_none) {
            break;
        }
    }
    error = g->fault == fault_stray ? stop : g->fault != fault_none ? fault_text(g->fault) : "";
    return g->fault == fault_none;
}

} // namespace softmetal
