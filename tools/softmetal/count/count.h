// The counters: what kernels do to memory, and how often they meet. They are fed by a watcher.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime.h"
#include "count/count_bytes.h"
#include "count/count_file.h"
#include "count/count_lines.h"
#include "softmetal/cpu/abi.h"
#include "count/spans.h"

namespace softmetal
{

void add_traffic(sm_traffic &to, const sm_traffic &more);

// Buffers or ranges with what was counted of them.
struct counted_list {
    std::vector<sm_counted> all;

    // The place of one, made when there is none. Names are compared by address.
    size_t place(const char *name, int index);

  private:
    std::map<std::pair<const char *, int>, size_t> places;
};

// Of a launch, a kernel or a command buffer.
struct count_record {
    sm_counters total = {};
    counted_list buffers, ranges;

    // `by_index`: buffers of different arguments stay apart.
    void add(const count_record &other, bool by_index);
    // Makes the lists of `total` valid.
    void finish();
};

std::string json_of_command_buffer(const sm_tally &tally, uint64_t sequence, bool completed);
std::string json_of_kernel(const sm_counters &kernel);

class counter
{
  public:
    explicit counter(std::unique_ptr<count_file> to);
    ~counter();

    // ---- for the host, from any thread ----
    void name_buffer(const void *owner, uintptr_t address, size_t bytes, const char *label);
    void name_range(const void *owner, uintptr_t address, size_t bytes, const char *name);
    void forget_ranges(const void *owner);
    const char *keep(const char *name); // the same address for the same name
    bool write_kernels(std::string &error);
    bool write_tally(const sm_tally &tally, bool completed, std::string &error);
    const sm_counters *kernel(size_t index);

    // ---- a launch; not two at once ----
    void begin_launch(const launch &l, const sm_dispatch &d, sm_tally &tally);
    void end_launch();
    void begin_group(const group &g);
    void access(const thread &t, uintptr_t address, size_t bytes, uint32_t kind, uintptr_t site);
    void local(size_t bytes, uint32_t kind); // threadgroup memory
    void met(simd &s, uint32_t mask);        // lanes at a simd operation or what is like one
    void simd_barrier();
    void barrier(const group &g);
    void matrix(uint32_t operation);

  private:
    // Memory of one argument, one label and one range.
    struct slot {
        uint32_t buffer, range; // in the record's lists; range UINT32_MAX: none
        sm_traffic traffic[2];  // loads, stores
    };
    struct segment {
        uintptr_t begin = 0, end = 0;
        uint32_t slot = 0;
    };
    struct binding {
        uintptr_t begin, end;
        int index;
        bool writable;
    };

    std::unique_ptr<count_file> file; // null: none

    std::mutex kept_lock;
    std::unordered_set<std::string> kept;

    std::mutex names_lock;
    span_set buffer_names, range_names;

    std::mutex kernels_lock;
    std::deque<count_record> kernels;
    std::map<std::string, size_t> kernel_places;
    uint64_t sequence = 0;
    bool unwritten = false; // kernels have changed since they were written

    // The launch.
    count_record record;
    sm_tally *tally = nullptr;
    span_set::view buffers, ranges;
    uint64_t buffers_seen = UINT64_MAX, ranges_seen = UINT64_MAX; // changes in the views
    std::vector<binding> bindings;
    std::vector<slot> slots;
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> slot_places;
    segment segments[2][1024]; // found before, by address
    byte_shadow shadow;
    line_book books[max_simds];
    std::vector<line_run> runs, some; // kept for their memory

    void take_names();
    segment &segment_of(uintptr_t address, bool store);
    segment resolve(uintptr_t address, bool store);
    uint32_t slot_of(const char *label, int index, const char *range);
    void settle(line_book &book);
    void settle_mixed(bool store);
};

} // namespace softmetal

struct sm_tally {
    softmetal::counter *owner = nullptr;
    softmetal::count_record sum;
    std::deque<softmetal::count_record> launches;
    softmetal::byte_set touched;
};
