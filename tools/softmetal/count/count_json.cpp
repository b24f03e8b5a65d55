// Counters as JSON. Numbers are plain: they stay far below 2^53, as every unit was counted one by one.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "count/count.h"

namespace softmetal
{
namespace
{

// The bytes of the UTF-8 sequence at `s`; 0: it is none.
size_t sequence_bytes(const unsigned char *s)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    // Too long forms, surrogates, and what lies past the last code point.
    bool bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
               (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return bad ? 0 : n;
}

std::string quoted(const char *text)
{
    std::string out = "\"";
    for (auto s = reinterpret_cast<const unsigned char *>(text); *s;) {
        size_t n = sequence_bytes(s);
        if (n == 0) {
            out += "\xef\xbf\xbd"; // U+FFFD
            s++;
            continue;
        }
        if (*s < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", *s);
            out += escape;
        } else {
            out += *s == '"' || *s == '\\' ? "\\" : "";
            out.append(reinterpret_cast<const char *>(s), n);
        }
        s += n;
    }
    return out + "\"";
}

std::string pair(const char *key, uint64_t value)
{
    return std::string("\"") + key + "\":" + std::to_string(value);
}

std::string json_of_traffic(const sm_traffic &t)
{
    return "{" + pair("bytes", t.bytes) + "," +
           pair("distinct_threadgroup", t.distinct_threadgroup) + "," +
           pair("distinct_launch", t.distinct_launch) + "," +
           pair("distinct_command_buffer", t.distinct_command_buffer) + "," +
           pair("accesses", t.accesses) + "," + pair("lines", t.lines) + "}";
}

std::string json_of_both(const sm_traffic &loads, const sm_traffic &stores)
{
    return "\"loads\":" + json_of_traffic(loads) + ",\"stores\":" + json_of_traffic(stores);
}

// In a fixed order, whatever was touched first.
std::string json_of_list(const sm_counted *list, size_t count, bool ranges)
{
    std::vector<const sm_counted *> order;
    for (size_t i = 0; i < count; i++) {
        order.push_back(&list[i]);
    }
    std::sort(order.begin(), order.end(), [](const sm_counted *a, const sm_counted *b) {
        return a->index != b->index ? a->index < b->index : std::strcmp(a->name, b->name) < 0;
    });
    std::string out = "[";
    for (const sm_counted *c : order) {
        out += out.size() > 1 ? "," : "";
        out += ranges ? "{\"name\":" + quoted(c->name) + "," + pair("bytes", c->bytes)
                      : "{\"label\":" + quoted(c->name);
        out += c->index >= 0 ? "," + pair("index", uint64_t(c->index)) : "";
        out += "," + json_of_both(c->loads, c->stores) + "}";
    }
    return out + "]";
}

std::string json_of_counters(const sm_counters &c)
{
    return pair("launches", c.launches) + "," + pair("threadgroups", c.threadgroups) + "," +
           pair("barriers", c.barriers) + "," + pair("simdgroup_barriers", c.simdgroup_barriers) +
           "," + pair("simd_operations", c.simd_operations) + "," +
           pair("matrix_loads", c.matrix_loads) + "," + pair("matrix_stores", c.matrix_stores) +
           "," + pair("matrix_multiplies", c.matrix_multiplies) + "," +
           pair("threadgroup_loaded", c.threadgroup_loaded) + "," +
           pair("threadgroup_stored", c.threadgroup_stored) + "," +
           json_of_both(c.loads, c.stores) +
           ",\"buffers\":" + json_of_list(c.buffers, c.buffer_count, false) +
           ",\"ranges\":" + json_of_list(c.ranges, c.range_count, true);
}

} // namespace

std::string json_of_kernel(const sm_counters &kernel)
{
    return "{\"type\":\"kernel\",\"kernel\":" + quoted(kernel.name) + "," +
           json_of_counters(kernel) + "}";
}

std::string json_of_command_buffer(const sm_tally &tally, uint64_t sequence, bool completed)
{
    const sm_counters &c = tally.sum.total;
    std::string out = "{\"type\":\"command_buffer\",\"label\":" + quoted(c.name) + "," +
                      pair("sequence", sequence) +
                      ",\"completed\":" + (completed ? "true" : "false") + "," +
                      pair("copies", c.copies) + "," + pair("copied_bytes", c.copied_bytes) + "," +
                      pair("fills", c.fills) + "," + pair("filled_bytes", c.filled_bytes) + "," +
                      json_of_counters(c) + ",\"dispatches\":[";
    for (size_t i = 0; i < tally.launches.size(); i++) {
        const sm_counters &l = tally.launches[i].total;
        out += std::string(i ? "," : "") + "{\"kernel\":" + quoted(l.name) + "," +
               json_of_counters(l) + "}";
    }
    return out + "]}";
}

} // namespace softmetal
