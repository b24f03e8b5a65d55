// Counting one launch: whose bytes are touched, and what the lanes do together.
#include "count/count.h"

#include <algorithm>

#include "runtime/device.h"
#include "softmetal/cpu/check.h"

namespace softmetal
{
namespace
{

constexpr uint32_t no_range = UINT32_MAX;

template <class Part> void narrow(uintptr_t &begin, uintptr_t &end, const Part &p)
{
    begin = std::max(begin, p.begin);
    end = std::min(end, p.end);
}

sm_traffic &side(sm_counted &of, bool store)
{
    return store ? of.stores : of.loads;
}

} // namespace

// Names as they are now; a host may go on naming while the launch runs.
void counter::take_names()
{
    std::lock_guard<std::mutex> guard(names_lock);
    if (buffers_seen != buffer_names.changes) {
        buffers = buffer_names.flatten();
        buffers_seen = buffer_names.changes;
    }
    if (ranges_seen != range_names.changes) {
        ranges = range_names.flatten();
        ranges_seen = range_names.changes;
    }
}

void counter::begin_launch(const launch &l, const sm_dispatch &d, sm_tally &to)
{
    take_names();
    tally = &to;
    record = count_record();
    record.total.name = keep(d.pipeline->function->name);
    record.total.launches = 1;
    slots.clear();
    slot_places.clear();
    bindings.clear();
    for (auto &side_of : segments) {
        std::fill(std::begin(side_of), std::end(side_of), segment());
    }
    const sm_function &f = *d.pipeline->function;
    for (size_t i = 0; i < f.argument_count; i++) {
        const sm_argument &a = f.arguments[i];
        if (a.kind == SM_ARGUMENT_BUFFER && l.buffers[a.index]) {
            uintptr_t begin = uintptr_t(l.buffers[a.index]);
            size_t bytes = d.buffer_bytes[a.index];
            bindings.push_back(
                {begin, bytes ? begin + bytes : UINTPTR_MAX, int(a.index), a.writable});
        }
    }
    std::sort(bindings.begin(), bindings.end(),
              [](const binding &a, const binding &b) { return a.index < b.index; });
    shadow.begin_launch();
}

void counter::begin_group(const group &)
{
    for (line_book &book : books) {
        settle(book);
    }
    shadow.begin_group();
    record.total.threadgroups++;
}

void counter::end_launch()
{
    for (line_book &book : books) {
        settle(book);
    }
    sm_traffic sm_counters::*const totals[] = {&sm_counters::loads, &sm_counters::stores};
    for (const slot &s : slots) {
        for (int store = 0; store < 2; store++) {
            const sm_traffic &t = s.traffic[store];
            add_traffic(record.total.*totals[store], t);
            add_traffic(side(record.buffers.all[s.buffer], store), t);
            if (s.range != no_range) {
                add_traffic(side(record.ranges.all[s.range], store), t);
            }
        }
    }
    record.finish();
    tally->sum.add(record, false);
    std::lock_guard<std::mutex> guard(kernels_lock);
    auto place = kernel_places.try_emplace(record.total.name, kernels.size());
    if (place.second) {
        kernels.emplace_back();
        kernels.back().total.name = record.total.name;
    }
    kernels[place.first->second].add(record, true);
    unwritten = true;
    tally->launches.push_back(std::move(record));
    tally->launches.back().finish();
}

// ---- whose bytes ---------------------------------------------------------------------------------

uint32_t counter::slot_of(const char *label, int index, const char *range)
{
    auto buffer_at = uint32_t(record.buffers.place(label, index));
    uint32_t range_at = range ? uint32_t(record.ranges.place(range, -1)) : no_range;
    if (range) {
        record.ranges.all[range_at].bytes = ranges.bytes(range);
    }
    auto found = slot_places.try_emplace({buffer_at, range_at}, uint32_t(slots.size()));
    if (found.second) {
        slots.push_back({buffer_at, range_at, {}});
    }
    return found.first->second;
}

// Of arguments that cover an address, the one that begins last: two that share a buffer mostly begin
// at different offsets. Of those that begin together, loads go to one that may not be written.
counter::segment counter::resolve(uintptr_t address, bool store)
{
    segment s;
    s.end = UINTPTR_MAX;
    const binding *best = nullptr;
    for (const binding &b : bindings) {
        if (address < b.begin) {
            s.end = std::min(s.end, b.begin);
        } else if (address >= b.end) {
            s.begin = std::max(s.begin, b.end);
        } else {
            narrow(s.begin, s.end, b);
            bool fits = b.writable == store;
            bool fits_best = best && best->writable == store;
            if (!best || b.begin > best->begin || (b.begin == best->begin && fits && !fits_best)) {
                best = &b;
            }
        }
    }
    span_set::part label = buffers.find(address), range = ranges.find(address);
    narrow(s.begin, s.end, label);
    narrow(s.begin, s.end, range);
    s.slot = slot_of(label.name ? label.name : keep(""), best ? best->index : -1, range.name);
    return s;
}

counter::segment &counter::segment_of(uintptr_t address, bool store)
{
    segment &s = segments[store][address / 1024 % 1024];
    if (address < s.begin || address >= s.end) {
        s = resolve(address, store);
    }
    return s;
}

void counter::access(const thread &t, uintptr_t address, size_t bytes, uint32_t kind,
                     uintptr_t site)
{
    line_book &book = books[t.simd->index];
    for (bool store : {false, true}) {
        if (store ? !(kind & access_write) : (kind & access_write) && !(kind & access_old)) {
            continue;
        }
        if (!(kind & access_more)) {
            book.begin(t.lane, site, store, address, bytes, kind & access_atomic);
        }
        for (uintptr_t at = address, end = address + bytes; at < end;) {
            const segment &s = segment_of(at, store);
            uintptr_t stop = std::min(end, s.end);
            shadow.mark(at, stop - at, store, tally->touched, slots[s.slot].traffic[store]);
            book.touch(t.lane, at / line_bytes, (stop - 1) / line_bytes, s.slot);
            at = stop;
        }
    }
}

void counter::local(size_t bytes, uint32_t kind)
{
    sm_counters &t = record.total;
    t.threadgroup_stored += kind & access_write ? bytes : 0;
    t.threadgroup_loaded += kind & access_write && !(kind & access_old) ? 0 : bytes;
}

// ---- what lanes do together ----------------------------------------------------------------------

void counter::met(simd &s, uint32_t mask)
{
    if (mask & s.uncounted) {
        s.uncounted &= ~mask;
    } else {
        record.total.simd_operations++;
    }
    if (mask == s.alive) {
        settle(books[s.index]);
    } else {
        books[s.index].part(mask);
    }
}

void counter::simd_barrier()
{
    record.total.simdgroup_barriers++;
}

void counter::barrier(const group &g)
{
    record.total.barriers++;
    for (uint32_t i = 0; i < g.simds; i++) {
        settle(books[i]);
    }
}

void counter::matrix(uint32_t operation)
{
    sm_counters &t = record.total;
    (operation == matrix_load    ? t.matrix_loads
     : operation == matrix_store ? t.matrix_stores
                                 : t.matrix_multiplies)++;
}

// All lanes have left what the book holds.
void counter::settle(line_book &book)
{
    for (const line_access &a : book.accesses()) {
        uint64_t lines = a.run.count;
        if (a.run.before >= 0) {
            book.runs_of(a, runs);
            if (a.mixed) {
                settle_mixed(a.store);
                continue;
            }
            lines = count_lines(runs);
        }
        const slot &s = slots[a.run.slot];
        sm_traffic t = {};
        t.accesses = 1;
        t.lines = lines;
        add_traffic(a.store ? record.total.stores : record.total.loads, t);
        add_traffic(side(record.buffers.all[s.buffer], a.store), t);
        if (s.range != no_range) {
            add_traffic(side(record.ranges.all[s.range], a.store), t);
        }
    }
    book.clear();
}

// An access in several buffers or ranges is one of each, with the lines that it touches there.
void counter::settle_mixed(bool store)
{
    auto give = [&](sm_traffic &to, uint32_t slot::*part, uint32_t wanted) {
        some.clear();
        for (const line_run &r : runs) {
            if (!part || slots[r.slot].*part == wanted) {
                some.push_back(r);
            }
        }
        to.accesses++;
        to.lines += count_lines(some);
    };
    give(store ? record.total.stores : record.total.loads, nullptr, 0);
    for (size_t i = 0; i < runs.size(); i++) {
        const slot &mine = slots[runs[i].slot];
        bool new_buffer = true, new_range = mine.range != no_range;
        for (size_t k = 0; k < i; k++) {
            new_buffer &= slots[runs[k].slot].buffer != mine.buffer;
            new_range &= slots[runs[k].slot].range != mine.range;
        }
        if (new_buffer) {
            give(side(record.buffers.all[mine.buffer], store), &slot::buffer, mine.buffer);
        }
        if (new_range) {
            give(side(record.ranges.all[mine.range], store), &slot::range, mine.range);
        }
    }
}

} // namespace softmetal
