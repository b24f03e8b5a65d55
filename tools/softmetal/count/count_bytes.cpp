#include "count/count_bytes.h"

#include <algorithm>
#include <cstring>

namespace softmetal
{
namespace
{

constexpr size_t max_pages = 1 << 16; // 256 MiB touched: then they are forgotten between launches

} // namespace

byte_set::page &byte_set::at(uintptr_t number)
{
    if (!last || last_number != number) {
        std::unique_ptr<page> &p = pages[number];
        if (!p) {
            p = std::make_unique<page>();
        }
        last = p.get();
        last_number = number;
    }
    return *last;
}

uint64_t *byte_shadow::level::of(bool store, uint64_t now)
{
    if (number[store] != now) {
        number[store] = now;
        std::memset(bits[store], 0, sizeof bits[store]);
    }
    return bits[store];
}

byte_shadow::page &byte_shadow::page_of(uintptr_t number)
{
    auto &r = recent[number % 64];
    if (!r.at || r.number != number) {
        std::unique_ptr<page> &p = pages[number];
        if (!p) {
            p = std::make_unique<page>();
        }
        r.number = number;
        r.at = p.get();
    }
    return *r.at;
}

void byte_shadow::begin_launch()
{
    launch++;
    if (pages.size() > max_pages) {
        pages.clear();
        for (auto &r : recent) {
            r.at = nullptr;
        }
    }
}

void byte_shadow::begin_group()
{
    group++;
}

void byte_shadow::mark(uintptr_t address, size_t bytes, bool store, byte_set &buffer,
                       sm_traffic &to)
{
    to.bytes += bytes;
    for (uintptr_t end = address + bytes; address < end;) {
        uintptr_t number = address / count_page_bytes;
        size_t first = address % 64, count = std::min<size_t>(64 - first, end - address);
        size_t word = address % count_page_bytes / 64;
        uint64_t mask = (count == 64 ? UINT64_MAX : (uint64_t(1) << count) - 1) << first;
        page &p = page_of(number);
        address += count;
        uint64_t &in_group = p.group.of(store, group)[word], fresh = mask & ~in_group;
        if (!fresh) {
            continue;
        }
        in_group |= mask;
        to.distinct_threadgroup += uint64_t(__builtin_popcountll(fresh));
        uint64_t &in_launch = p.launch.of(store, launch)[word];
        fresh &= ~in_launch;
        if (!fresh) {
            continue;
        }
        in_launch |= mask;
        to.distinct_launch += uint64_t(__builtin_popcountll(fresh));
        uint64_t &in_buffer = buffer.at(number).bits[store][word];
        to.distinct_command_buffer += uint64_t(__builtin_popcountll(fresh & ~in_buffer));
        in_buffer |= mask;
    }
}

} // namespace softmetal
