#include "count_lines.h"

#include <algorithm>

namespace softmetal
{

number_map::cell &number_map::place(uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    size_t mask = cells.size() - 1;
    size_t at = size_t(hash >> 32) & mask;
    while (cells[at].stamp == stamp && cells[at].key != key) {
        at = (at + 1) & mask;
    }
    return cells[at];
}

uint32_t number_map::find_or_add(uint64_t key, uint32_t fresh)
{
    cell *c = &place(key);
    if (c->stamp == stamp) {
        return c->number;
    }
    if (++used > cells.size() / 2) {
        std::vector<cell> old(cells.size() * 2);
        old.swap(cells);
        for (const cell &o : old) {
            if (o.stamp == stamp) {
                place(o.key) = o;
            }
        }
        c = &place(key);
    }
    *c = {key, stamp, fresh};
    return fresh;
}

void number_map::clear()
{
    used = 0;
    if (++stamp == 0) {
        std::fill(cells.begin(), cells.end(), cell());
        stamp = 1;
    }
}

uint32_t line_book::look_up(uint32_t lane, uint64_t stream)
{
    uint32_t at = streams.find_or_add(stream, uint32_t(counts.size()));
    if (at == counts.size()) {
        counts.push_back({});
    }
    uint32_t nth = counts[at][lane];
    uint32_t found = places.find_or_add(uint64_t(at) << 32 | nth, uint32_t(list.size()));
    if (found == list.size()) {
        line_access a = {};
        a.stream = stream;
        a.nth = nth;
        a.counts = at;
        a.store = stream & 1;
        a.run.before = -1;
        list.push_back(a);
    }
    return found;
}

void line_book::touch(uint32_t lane, uintptr_t site, bool store, uintptr_t first, uintptr_t last,
                      uint32_t slot)
{
    // All sites are in one kernel object, so the lower half of their addresses tells them apart.
    uint64_t stream = uint64_t(meeting[lane]) << 33 | uint64_t(uint32_t(site)) << 1 | store;
    // Lanes mostly do what the first of them did, in the same order.
    uint32_t at = cursor[lane];
    if (at >= list.size() || list[at].stream != stream ||
        list[at].nth != counts[list[at].counts][lane]) {
        at = look_up(lane, stream);
    }
    counts[list[at].counts][lane]++;
    cursor[lane] = at + 1;
    add(list[at], first, last - first + 1, slot);
}

void line_book::more(uint32_t lane, uintptr_t first, uintptr_t last, uint32_t slot)
{
    add(list[cursor[lane] - 1], first, last - first + 1, slot);
}

// Runs may overlap; count_lines sees to it.
void line_book::add(line_access &a, uintptr_t first, uintptr_t count, uint32_t slot)
{
    if (a.run.count == 0) {
        a.run = {first, count, slot, -1};
        return;
    }
    line_run *newest = a.run.before < 0 ? nullptr : &pool[size_t(a.run.before)];
    for (line_run *r : {&a.run, newest}) {
        if (!r || r->slot != slot || first < r->first || first > r->first + r->count) {
            continue;
        }
        r->count = std::max(r->count, first + count - r->first);
        return;
    }
    a.mixed |= slot != a.run.slot;
    pool.push_back({first, count, slot, a.run.before});
    a.run.before = int32_t(pool.size()) - 1;
}

void line_book::part(uint32_t mask)
{
    meetings++;
    for (; mask; mask &= mask - 1) {
        uint32_t lane = uint32_t(__builtin_ctz(mask));
        meeting[lane] = meetings;
        cursor[lane] = uint32_t(list.size());
    }
}

void line_book::runs_of(const line_access &a, std::vector<line_run> &runs) const
{
    runs.assign(1, a.run);
    for (int32_t at = a.run.before; at >= 0; at = pool[size_t(at)].before) {
        runs.push_back(pool[size_t(at)]);
    }
}

void line_book::clear()
{
    list.clear();
    pool.clear();
    counts.clear();
    streams.clear();
    places.clear();
    std::fill(std::begin(cursor), std::end(cursor), 0);
    std::fill(std::begin(meeting), std::end(meeting), 0);
    meetings = 0;
}

uint64_t count_lines(std::vector<line_run> &runs)
{
    std::sort(runs.begin(), runs.end(),
              [](const line_run &a, const line_run &b) { return a.first < b.first; });
    uint64_t lines = 0;
    uintptr_t end = 0; // of what was counted
    for (const line_run &r : runs) {
        uintptr_t from = std::max(r.first, end), to = r.first + r.count;
        lines += to > from ? to - from : 0;
        end = std::max(end, to);
    }
    return lines;
}

} // namespace softmetal
