#include "count/count_lines.h"

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

// Other bytes, at another place of the code, within one vector.
bool line_book::join(vector_access &v, bool store, uintptr_t site, uintptr_t address, size_t bytes)
{
    uintptr_t begin = std::min(v.begin, address), end = std::max(v.end, address + bytes);
    if (v.parts == max_parts || v.store != store || end - begin > vector_bytes) {
        return false;
    }
    for (uint32_t i = 0; i < v.parts; i++) {
        bool apart = address + bytes <= v.address[i] || v.address[i] + v.bytes[i] <= address;
        if (v.site[i] == site || !apart) {
            return false;
        }
    }
    v.begin = begin;
    v.end = end;
    v.address[v.parts] = address;
    v.bytes[v.parts] = bytes;
    v.site[v.parts++] = site;
    return true;
}

void line_book::begin(uint32_t lane, uintptr_t site, bool store, uintptr_t address, size_t bytes,
                      bool alone)
{
    lane_state &l = lanes[lane];
    alone = alone || bytes >= vector_bytes;
    size_t recent = alone ? 0 : std::min<size_t>(l.begun, std::size(l.recent));
    for (size_t i = 0; i < recent; i++) {
        if (join(l.recent[i], store, site, address, bytes)) {
            l.last = l.recent[i].access;
            return;
        }
    }
    // All sites are in one kernel object, so the lower half of their addresses tells them apart.
    uint64_t stream = uint64_t(l.meeting) << 33 | uint64_t(uint32_t(site)) << 1 | store;
    // Lanes mostly do what the first of them did, in the same order.
    uint32_t at = l.next;
    if (at >= list.size() || list[at].stream != stream ||
        list[at].nth != counts[list[at].counts][lane]) {
        at = look_up(lane, stream);
    }
    counts[list[at].counts][lane]++;
    l.next = at + 1;
    l.last = at;
    if (!alone) {
        vector_access &v = l.recent[l.begun++ % std::size(l.recent)];
        v = {address, address + bytes, 1, at, store, {address}, {site}, {bytes}};
    }
}

// Runs may overlap; count_lines sees to it.
void line_book::touch(uint32_t lane, uintptr_t first, uintptr_t last, uint32_t slot)
{
    line_access &a = list[lanes[lane].last];
    uintptr_t count = last - first + 1;
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
        lanes[lane].restart(uint32_t(list.size()), meetings);
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
    if (list.empty() && meetings == 0) {
        return;
    }
    list.clear();
    pool.clear();
    counts.clear();
    streams.clear();
    places.clear();
    for (lane_state &l : lanes) {
        l.restart(0, 0);
    }
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
