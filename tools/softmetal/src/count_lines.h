// How the lanes of a simdgroup share lines of memory: which of their accesses are one access of the
// simdgroup, and what lines it touches.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "softmetal/abi.h"

namespace softmetal
{

constexpr uintptr_t line_bytes = 128;

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
    // One lane touches the lines from `first` to `last`.
    void touch(uint32_t lane, uintptr_t site, bool store, uintptr_t first, uintptr_t last,
               uint32_t slot);
    // The access that the lane made last goes on.
    void more(uint32_t lane, uintptr_t first, uintptr_t last, uint32_t slot);

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
    std::vector<line_access> list; // in the order of whoever came first
    std::vector<line_run> pool;
    std::vector<std::array<uint32_t, simd_width>> counts; // by stream and lane
    number_map streams, places;
    uint32_t cursor[simd_width] = {};  // after the access that the lane made last
    uint32_t meeting[simd_width] = {}; // that the lane came from
    uint32_t meetings = 0;

    uint32_t look_up(uint32_t lane, uint64_t stream);
    void add(line_access &a, uintptr_t first, uintptr_t count, uint32_t slot);
};

// The number of different lines; sorts the runs.
uint64_t count_lines(std::vector<line_run> &runs);

} // namespace softmetal
