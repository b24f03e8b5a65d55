// The checking mode: runs a grid on one thread of the host, in a random order from a seed, and
// judges every access that the kernel makes.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime.h"
#include "softmetal/cpu/check.h"
#include "check/watch.h"

namespace softmetal
{

// Who touched a place last, and when. Of a group that does not run now, or none: no trace.
struct stamp {
    uint32_t group = 0; // serial number of the run
    uint32_t thread : 10, atomic : 1, simd_epoch : 21;
    uint32_t epoch = 0; // barriers of the group so far
    uint32_t site = 0;  // in the kernel object

    stamp() : thread(0), atomic(0), simd_epoch(0)
    {
    }
};

// The last write, and since then the last read, the last by another thread of that simdgroup, and
// the last by another simdgroup.
struct cell {
    stamp write, read[3];
};

constexpr uintptr_t shadow_page_bytes = 4096;

constexpr size_t guard_bytes = 1024; // between threadgroup variables
constexpr size_t group_memory_bytes =
    threadgroup_bytes + (max_buffers + max_static_blocks + 2) * (guard_bytes + 16);

// Cells of four bytes, or of one where something narrower was seen.
struct shadow_page {
    uint32_t shift = 2;
    std::vector<cell> cells = std::vector<cell>(shadow_page_bytes / 4);

    void refine();
};

struct memory_range {
    uintptr_t begin = 0, end = 0;
    int index = -1; // in the table; -1: a threadgroup variable
    bool writable = false, shadowed = false, open_ended = false;
    const void *key = nullptr; // of a threadgroup variable
};

// What a report says about the two parties of a race.
struct finding {
    enum sm_report_kind kind = SM_REPORT_RACE;
    const void *frame = nullptr;         // of the code
    const thread *who = nullptr;         // null: the one that runs
    const stamp *other = nullptr;        // the other party
    const memory_range *range = nullptr; // null: no memory
    uintptr_t address = 0;
    std::string text;
};

class checker final : public watcher
{
  public:
    checker(uint64_t seed_of, uint64_t adversarial_of, bool aloud_of)
        : seed(seed_of), adversarial(adversarial_of), aloud(aloud_of)
    {
    }

    bool run(const launch &l, const sm_dispatch &d, time_limit &limit, std::string &error) override;

    std::string headers; // folder of the MSL headers, whose lines are nobody's fault
    void (*callback)(void *context, const struct sm_report *report) = nullptr;
    void *callback_context = nullptr;

    struct kept_report {
        std::string kernel, file, message;
        struct sm_report plain;
    };
    std::vector<std::unique_ptr<kept_report>> reports; // under report_lock

    void add(const sm_report &report);

    void access(uintptr_t address, size_t bytes, uint32_t kind, const void *frame) override;
    thread *next(const void *frame) override;
    void barrier(thread &t, uint32_t spaces, uint32_t site) override;
    void simd_barrier(simd &s, uint32_t mask, uint32_t spaces) override;
    void *static_block(const void *key, size_t bytes) override;
    uint64_t random() override;
    void array_index(int64_t index, const char *array, const void *frame) override;

  private:
    std::mutex report_lock;
    uint64_t seed, adversarial;
    bool aloud;
    uint64_t state = 0, launches = 0;
    std::unique_ptr<char[]> group_memory;

    // The launch.
    const sm_dispatch *dispatch = nullptr;
    std::vector<memory_range> ranges;
    std::string object_path;
    uint32_t serial = 0, first_serial = 0; // of the group, of the launch's first
    std::string stop;                      // why the launch ends early

    // The group.
    std::vector<memory_range> blocks;
    size_t block_top = 0, block_bytes = 0;
    thread *now = nullptr;
    uint32_t epoch[2] = {0, 0};
    uint32_t simd_epoch[max_simds][2] = {};
    uint32_t meetings = 0, simd_meetings[max_simds] = {}; // barriers with any flags
    uint32_t barrier_spaces[max_threads] = {}, barrier_site[max_threads] = {};
    resolver any_lanes[3] = {}; // operations that any set of lanes may reach

    std::unordered_map<uintptr_t, std::unique_ptr<shadow_page>> pages;
    struct {
        uintptr_t number = 0;
        shadow_page *page = nullptr;
    } recent[64];
    std::unordered_map<uint64_t, const kept_report *> seen;    // by addresses
    std::unordered_map<std::string, const kept_report *> told; // by lines, under report_lock

    bool set_up(const launch &l, const sm_dispatch &d, std::string &error);
    void begin_group(uint64_t number);
    bool add_block(int index, const void *key, size_t bytes);
    const memory_range *find(uintptr_t address, size_t bytes, bool write) const;
    const memory_range *find_block(uintptr_t address, size_t bytes) const;
    void mark(const memory_range &r, unsigned space, uintptr_t address, size_t bytes, uint32_t kind,
              const void *frame);
    shadow_page &page_of(uintptr_t address);
    void touch(cell &c, const stamp &me, const stamp &met, uint32_t kind, const memory_range &r,
               uintptr_t address, const void *frame);
    bool ordered(const stamp &s, const stamp &me, unsigned space) const;
    void stray(uintptr_t address, size_t bytes, uint32_t kind, const void *frame);
    void end_launch(const finding &f, const std::string &what);
    void release();
    void perhaps_switch(uint32_t kind, const void *frame);
    void meet_host(uintptr_t address, size_t bytes, bool write) const;
    void publish(kept_report &kept);
    void judge_barrier(const void *frame);
    void judge_operation(simd &s, uint32_t mask, const void *frame);
    const void *frame_of(const thread &t, const void *frame) const;

    static void fail_process();
    struct place {
        std::string file;
        int line = 0;
    };
    std::vector<uintptr_t> chain(const void *frame) const;
    place locate(const std::vector<uintptr_t> &addresses) const;
    void compose(const finding &f, const place &at, kept_report &kept);
    const kept_report *tell(const finding &f); // null: one too many
};

// Gives the device a checker and a counter if options or environment ask for them.
bool choose_mode(const sm_device_options &o, sm_device &device, std::string &error);

} // namespace softmetal
