// What the runtime and a compiled kernel share: the memory of one threadgroup in flight.
//
// A worker thread of the host owns one arena: an aligned reservation that begins with `group` and
// holds the stacks of its fibers in the upper half. Because of the alignment a kernel finds its own
// group and fiber from the stack pointer alone, and so a kernel object imports nothing.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace softmetal
{

// Part of every cache key: raise it when anything below, or what the headers emit, changes.
constexpr uint32_t abi_version = 5;

constexpr unsigned simd_width = 32;
constexpr unsigned max_threads = 1024;
constexpr unsigned max_simds = max_threads / simd_width;
constexpr unsigned max_buffers = 31;
constexpr unsigned max_static_blocks = 32;
constexpr size_t threadgroup_bytes = 32768;

constexpr size_t stack_bytes = size_t(256) << 10;
constexpr size_t arena_bytes = size_t(512) << 20; // also its alignment
constexpr size_t stacks_offset = arena_bytes / 2;

struct simd;
struct group;

// Computes what every lane of `mask`, all waiting at one operation, gets from it.
using resolver = void (*)(simd &, uint32_t mask);

struct thread {
    void *sp; // where to continue; null while the thread has not begun
    struct simd *simd;
    struct group *group;
    uint32_t lane;
    uint32_t index;       // in the threadgroup
    uint32_t position[3]; // in the threadgroup
};

// Bit sets are indexed by lane. alive: not returned yet; ready: alive and not waiting;
// waiting: at a simd operation; barrier: at a threadgroup barrier.
struct alignas(64) simd {
    uint32_t alive, ready, waiting, barrier;
    uint32_t first_site; // where the first of the waiting lanes waits
    uint32_t mixed;      // whether another lane waits elsewhere
    uint32_t index;
    uint32_t lanes;
    uint32_t uncounted;     // lanes whose next meeting is no operation of the kernel's own
    struct thread *threads; // the 32 of this simdgroup
    uint32_t site[simd_width];
    resolver resolve[simd_width];
    alignas(64) uint64_t in[simd_width]; // values up to 8 bytes
    alignas(64) uint64_t aux[simd_width];
    alignas(64) uint64_t out[simd_width];
    alignas(64) uint64_t wide_in[simd_width][4]; // vectors
    alignas(64) uint64_t wide_out[simd_width][4];
};

// One dispatch, the same for all of its threadgroups.
struct launch {
    void *buffers[max_buffers];
    uint32_t threadgroup_offset[max_buffers]; // of [[threadgroup(n)]] in group::memory
    uint32_t dynamic_bytes;
    uint32_t grid[3];   // threads
    uint32_t groups[3]; // threadgroups
    uint32_t size[3];   // threads of a whole threadgroup
    void (*body)(thread &);
};

enum fault : uint32_t {
    fault_none,
    fault_threadgroup_memory, // static and dynamic threadgroup memory exceed 32 KiB
    fault_static_blocks,      // more than max_static_blocks declarations
    fault_stray,              // the checking mode stopped the launch
    fault_time,               // it took too long
};

struct group {
    const struct launch *launch;
    uint32_t position[3]; // in the grid of threadgroups
    uint32_t size[3];     // threads of this one: less than launch->size at an edge
    uint32_t count, simds;
    uint32_t fault;
    uint32_t free_stacks;
    uint32_t next_stack; // stacks from here on were never used
    void *main_sp;
    char *memory;         // threadgroup_bytes, aligned
    uint32_t memory_used; // dynamic and static
    uint32_t static_blocks;
    const void *static_key[max_static_blocks];
    uint32_t static_offset[max_static_blocks];
    uint16_t free_stack[max_threads];
    struct thread *running[max_threads]; // by stack
    struct thread threads[max_threads];
    struct simd simd[max_simds];
};

static_assert(sizeof(group) < stacks_offset, "the group is below its stacks");

// ---- what a kernel object registers ------------------------------------------------------------

enum class arg : uint32_t {
    buffer,      // device or constant memory, [[buffer(n)]]
    threadgroup, // [[threadgroup(n)]]
    thread_position_in_grid,
    thread_position_in_threadgroup,
    thread_index_in_threadgroup,
    thread_index_in_simdgroup,
    simdgroup_index_in_threadgroup,
    threadgroup_position_in_grid,
    threads_per_threadgroup,
    threads_per_grid,
    threadgroups_per_grid,
    threads_per_simdgroup,
    simdgroups_per_threadgroup,
    dispatch_threads_per_threadgroup,
    dispatch_simdgroups_per_threadgroup,
    thread_execution_width,
    thread_index_in_quadgroup,
    quadgroup_index_in_threadgroup,
    quadgroups_per_threadgroup,
    grid_origin,
    grid_size,
};

constexpr uint32_t arg_code(arg kind, uint32_t index)
{
    return (uint32_t(kind) << 8) | index;
}

struct kernel_entry {
    const char *name;
    void (*body)(thread &);
    const kernel_entry *next;
    const uint32_t *codes; // of the arguments, as arg_code
    const uint32_t *bytes; // of what each argument refers to; 0: a pointer or a value
    const uint32_t
        *threadgroup_bytes; // of its threadgroup variables, set once the object is loaded
    uint32_t max_threads;   // of max_total_threads_per_threadgroup; 0: not said
};

enum class scalar : uint32_t { none, b, i8, u8, i16, u16, i32, u32, i64, u64, f16, f32, bf16 };

struct constant_entry {
    const char *name;
    uint32_t index;
    scalar type;
    uint32_t components;
    uint32_t bytes;
    void *value;
    bool *defined;
    constant_entry *next;
};

// A program-scope constant computed from function constants, set after them in source order.
struct derived_entry {
    void (*compute)();
    derived_entry *next;
};

// The one exported symbol, `softmetal_library`, of a kernel object.
struct library_entry {
    uint32_t version;
    kernel_entry *kernels;
    constant_entry *constants;
    derived_entry *first_derived, *last_derived;
    struct check_hooks *hooks; // null: not for the checking mode
};

} // namespace softmetal
