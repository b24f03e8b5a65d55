// How the lanes of a simdgroup share lines of memory: which of their accesses are one access of the
// simdgroup, and what lines it touches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "softmetal/cpu/abi.h"

namespace softmetal
{

constexpr uintptr_t line_bytes = 128;
constexpr uintptr_t vector_bytes = 16; // of the widest access of a lane

// From keys to small numbers; emptied at once.
class number_map
{
  public:
    // The number of the key: `fresh` if it had none, which it then has.
    uint32_t find_or_add(uint64_t key, uint32_t fresh);
    void clear();

  private:
    struct cell {
        uint64_t key;
        uint32_t stamp, number;
    };
    std::vector<cell> cells = std::vector<cell>(64);
    uint32_t stamp = 1; // of the cells that hold something
    size_t used = 0;

    cell &place(uint64_t key);
};

struct line_run {
    uintptr_t first, count;
    uint32_t slot;  // what the lines belong to, as the caller says
    int32_t before; // the run in the pool that was made earlier; -1: none
};

// An access of the simdgroup: of lanes that came from the same meeting, the nth time at this site.
struct line_access {
    uint64_t stream; // site, direction and meeting
    uint32_t nth;
    uint32_t counts;   // of this stream, in line_book::counts
    line_run run;      // most have no more
    bool mixed, store; // mixed: not all in one slot
};

class line_book
{
  public:
    // A lane comes to an access. The compiler makes several of what the source says in one vector:
    // unless it stands alone, what the lane did just before elsewhere in the code may go on.
    void begin(uint32_t lane, uintptr_t site, bool store, uintptr_t address, size_t bytes,
               bool alone);
    // The lane's access touches the lines from `first` to `last`.
    void touch(uint32_t lane, uintptr_t first, uintptr_t last, uint32_t slot);

    // The lanes of the mask met, and others are elsewhere: their accesses are apart from now on.
    void part(uint32_t mask);

    const std::vector<line_access> &accesses() const
    {
        return list;
    }
    // The runs of one access.
    void runs_of(const line_access &a, std::vector<line_run> &runs) const;
    // All lanes begin anew.
    void clear();

  private:
    static constexpr size_t max_parts = 4;
    // What a lane touched of one vector so far.
    struct vector_access {
        uintptr_t begin, end;
        uint32_t parts, access; // access: its place in the list
        bool store;
        uintptr_t address[max_parts], site[max_parts];
        size_t bytes[max_parts];
    };
    struct lane_state {
        uint32_t next = 0;       // the access after the one that was last looked up
        uint32_t last = 0;       // the access that goes on
        uint32_t meeting = 0;    // that the lane came from
        uint32_t begun = 0;      // vectors since then
        vector_access recent[4]; // the last of these

        void restart(uint32_t at, uint32_t after)
        {
            next = at;
            meeting = after;
            begun = 0;
        }
    };

    std::vector<line_access> list; // in the order of whoever came first
    std::vector<line_run> pool;
    std::vector<std::array<uint32_t, simd_width>> counts; // by stream and lane
    number_map streams, places;
    lane_state lanes[simd_width];
    uint32_t meetings = 0;

    uint32_t look_up(uint32_t lane, uint64_t stream);
    static bool join(vector_access &v, bool store, uintptr_t site, uintptr_t address, size_t bytes);
};

// The number of different lines; sorts the runs.
uint64_t count_lines(std::vector<line_run> &runs);

} // namespace softmetal
