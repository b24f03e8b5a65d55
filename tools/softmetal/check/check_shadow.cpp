// Every access of a kernel in checking mode: is the address its own, and who was there before?
#include <algorithm>
#include <cstring>

#include "check/check.h"
#include "count/count.h"
#include "softmetal/cpu/fiber.h"

namespace softmetal
{

void shadow_page::refine()
{
    if (shift == 0) {
        return;
    }
    std::vector<cell> fine(shadow_page_bytes);
    for (size_t i = 0; i < fine.size(); i++) {
        fine[i] = cells[i >> shift];
    }
    cells = std::move(fine);
    shift = 0;
}

shadow_page &checker::page_of(uintptr_t address)
{
    uintptr_t number = address / shadow_page_bytes;
    auto &r = recent[number % 64];
    if (!r.page || r.number != number) {
        std::unique_ptr<shadow_page> &p = pages[number];
        if (!p) {
            p = std::make_unique<shadow_page>();
        }
        r.number = number;
        r.page = p.get();
    }
    return *r.page;
}

const memory_range *checker::find(uintptr_t address, size_t bytes, bool write) const
{
    const memory_range *found = nullptr, *open = nullptr;
    for (const memory_range &r : ranges) {
        if (address >= r.begin && address < r.end && bytes <= r.end - address) {
            if (r.writable || !write) {
                return &r;
            }
            found = found ? found : &r;
        } else if (r.open_ended && address >= r.begin && (!open || r.begin > open->begin)) {
            open = &r;
        }
    }
    return found ? found : open;
}

// The threadgroup variable, or [[threadgroup(n)]], that contains the bytes.
const memory_range *checker::find_block(uintptr_t address, size_t bytes) const
{
    for (const memory_range &b : blocks) {
        if (address >= b.begin && address < b.end && bytes <= b.end - address) {
            return &b;
        }
    }
    return nullptr;
}

bool checker::ordered(const stamp &s, const stamp &me, unsigned space) const
{
    if (s.group < first_serial || (space == 1 && s.group != me.group)) {
        return true; // no trace
    }
    if (s.group != me.group) {
        return false;
    }
    return s.thread == me.thread || s.epoch != me.epoch ||
           (s.thread / simd_width == me.thread / simd_width && s.simd_epoch != me.simd_epoch);
}

void checker::touch(cell &c, const stamp &me, const stamp &met, uint32_t kind,
                    const memory_range &r, uintptr_t address, const void *frame)
{
    unsigned space = &r >= blocks.data() && &r < blocks.data() + blocks.size();
    bool write = kind & access_write;
    auto clash = [&](const stamp &other, const stamp &self, const char *text) {
        if (ordered(other, self, space) || (other.atomic && me.atomic)) {
            return false;
        }
        finding f;
        f.kind = other.group == me.group ? SM_REPORT_RACE : SM_REPORT_RACE_GROUPS;
        f.frame = frame;
        f.other = &other;
        f.range = &r;
        f.address = address;
        f.text = text;
        tell(f);
        return true;
    };
    if (space == 1 && c.write.group != me.group && (!write || kind & access_old)) {
        finding f;
        f.kind = SM_REPORT_UNINITIALISED;
        f.frame = frame;
        f.range = &r;
        f.address = address;
        f.text = "reads threadgroup memory that nothing has written";
        tell(f);
    }
    bool told_already =
        clash(c.write, me, write ? "writes what was written" : "reads what was written");
    if (!write) {
        stamp *to = &c.read[2];
        if (c.read[0].group == me.group && c.read[0].thread == me.thread) {
            to = &c.read[0];
        } else if (c.read[0].group == me.group &&
                   c.read[0].thread / simd_width == me.thread / simd_width) {
            c.read[1] = c.read[0];
            to = &c.read[0];
        } else if (!c.read[0].group || c.read[0].group < first_serial) {
            to = &c.read[0];
        } else {
            c.read[2] = c.read[0];
            to = &c.read[0];
        }
        *to = met;
        return;
    }
    for (int i = 0; i < 3 && !told_already; i++) {
        told_already = clash(c.read[i], met, "writes what was read");
    }
    c.write = me;
    c.read[0] = c.read[1] = c.read[2] = stamp();
}

// An access that is not ordered after one by the host.
void checker::meet_host(uintptr_t address, size_t bytes, bool write) const
{
    for (size_t i = 0; i < dispatch->touched_count; i++) {
        sm_touched &t = dispatch->touched[i];
        t.conflicts |= uintptr_t(t.address) - address < bytes && (write || t.written);
    }
}

void checker::access(uintptr_t address, size_t bytes, uint32_t kind, const void *frame)
{
    bool write = kind & access_write;
    if (bytes == 0 || !now) {
        return;
    }
    const memory_range *r;
    unsigned space = address - uintptr_t(g->memory) < group_memory_bytes;
    if (space == 0 && is_private(address, bytes, write)) {
        return;
    }
    r = space ? find_block(address, bytes) : find(address, bytes, write);
    if (!r) {
        stray(address, bytes, kind, frame);
        return;
    }
    if (count && space == 1) {
        count->local(bytes, kind);
    } else if (count) {
        count->access(*now, address, bytes, kind, return_address(frame));
    }
    if (dispatch->touched_count) {
        meet_host(address, bytes, write);
    }
    if (write && !r->writable) {
        finding f;
        f.kind = SM_REPORT_CONSTANT_WRITE;
        f.frame = frame;
        f.range = r;
        f.address = address;
        f.text = "writes to memory that the kernel takes as constant";
        tell(f);
        return;
    }
    if (!r->shadowed) {
        return;
    }
    perhaps_switch(kind, frame);
    mark(*r, space, address, bytes, kind, frame);
}

// Meets whoever was there before, and leaves a trace.
void checker::mark(const memory_range &r, unsigned space, uintptr_t address, size_t bytes,
                   uint32_t kind, const void *frame)
{
    stamp me;
    me.group = serial;
    me.thread = now->index & 1023;
    me.atomic = kind & access_atomic ? 1 : 0;
    me.epoch = epoch[space];
    me.simd_epoch = simd_epoch[now->simd->index][space] & 0x1fffff;
    me.site = uint32_t(return_address(frame) - object_begin);
    stamp met = me; // a meeting orders reads before later writes, whatever memory it names
    met.epoch = meetings;
    met.simd_epoch = simd_meetings[now->simd->index] & 0x1fffff;
    bool coarse = ((address | bytes) & 3) == 0;
    for (uintptr_t at = address, end = address + bytes; at < end;) {
        shadow_page &p = page_of(at);
        if (!coarse) {
            p.refine();
        }
        uintptr_t stop_at = std::min(end, (at / shadow_page_bytes + 1) * shadow_page_bytes);
        for (; at < stop_at; at += uintptr_t(1) << p.shift) {
            touch(p.cells[(at % shadow_page_bytes) >> p.shift], me, met, kind, r, at, frame);
        }
    }
}

// Outside of everything: the launch ends before the access happens.
void checker::stray(uintptr_t address, size_t bytes, uint32_t kind, const void *frame)
{
    const memory_range *near = nullptr;
    bool in_group = address - uintptr_t(g->memory) < group_memory_bytes;
    for (const memory_range &r : in_group ? blocks : ranges) {
        uintptr_t away = address < r.begin ? r.begin - address : address - r.begin;
        uintptr_t best = !near                   ? UINTPTR_MAX
                         : address < near->begin ? near->begin - address
                                                 : address - near->begin;
        near = away < best ? &r : near;
    }
    finding f;
    f.kind = kind & access_write ? SM_REPORT_STRAY_WRITE : SM_REPORT_STRAY_READ;
    f.frame = frame;
    f.range = near;
    f.address = address;
    f.text = std::string(kind & access_write ? "writes " : "reads ") + std::to_string(bytes) +
             " bytes outside of every buffer and threadgroup variable";
    end_launch(f, kind & access_write ? "a stray write" : "a stray read");
}

// Whatever lies there: a thread's own variables, or another member of a structure.
void checker::array_index(int64_t index, const char *array, const void *frame)
{
    finding f;
    f.kind = SM_REPORT_ARRAY_INDEX;
    f.frame = frame;
    f.text = "has index " + std::to_string(index) + " in an array of type " + array;
    end_launch(f, "an index outside of an array");
}

void checker::end_launch(const finding &f, const std::string &what)
{
    const kept_report *report = tell(f);
    stop = dispatch->pipeline->function->name + (": " + what) +
           " stopped it: " + (report ? report->message : f.text);
    g->fault = fault_stray;
    void *nowhere;
    softmetal_switch(&nowhere, g->main_sp);
}

} // namespace softmetal
