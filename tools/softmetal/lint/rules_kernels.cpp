// Kernels: what they return, how many buffers they take, and the structs that the host fills.
#include "lint/rules.h"

#include <cstdlib>
#include <map>

namespace metal_lint
{
namespace
{

constexpr size_t max_buffers = 31;

// Calls f(begin, end) for each parameter.
template <class F> void each_parameter(const scan &s, const function &k, F f)
{
    for (size_t begin = k.open + 1; begin < k.close;) {
        size_t end = begin;
        while (end < k.close && !s.is(end, ",")) {
            size_t angle = s.is(end, "<") ? skip_angles(s, end, k.close) : end;
            bool bracket = s.is(end, "(") || s.is(end, "[") || s.is(end, "{");
            end = bracket ? skip_brackets(s, end, k.close) : angle > end ? angle : end + 1;
        }
        f(begin, end);
        begin = end + 1;
    }
}

struct attributes {
    bool buffer = false, threadgroup = false, other = false;
    size_t index = SIZE_MAX; // of buffer or threadgroup, if it is a plain number
};

attributes read_attributes(const scan &s, size_t begin, size_t end)
{
    attributes a;
    for (size_t i = begin; i < end; i++) {
        if (!at_attribute(s, i)) {
            continue;
        }
        size_t after = skip_brackets(s, i, end);
        for (size_t k = i + 2; k + 2 < after; k++) {
            bool buffer = s.is(k, "buffer"), memory = buffer || s.is(k, "threadgroup");
            bool call = s.is(k + 1, "(");
            a.buffer = a.buffer || (buffer && call);
            a.threadgroup = a.threadgroup || (memory && !buffer && call);
            a.other = a.other || (s.word(k) && !memory && !s.is(k, "function_constant"));
            if (memory && call && s.tokens[k + 2].kind == token::number) {
                a.index = std::strtoul(std::string(s.at(k + 2)).c_str(), nullptr, 0);
            }
            k = call ? skip_brackets(s, k + 1, after) - 1 : k;
        }
        i = after - 1;
    }
    return a;
}

bool has_word(const scan &s, size_t begin, size_t end, const char *word)
{
    for (size_t i = begin; i < end; i++) {
        if (at_attribute(s, i)) {
            i = skip_brackets(s, i, end) - 1;
        } else if (s.is(i, word)) {
            return true;
        }
    }
    return false;
}

void check_result(const context &c, const function &k)
{
    const scan &s = c.s;
    bool is_void = false;
    for (size_t i = k.begin; i < k.open; i++) {
        bool pointer = s.is(i + 1, "*") || s.is(i + 1, "&");
        is_void = is_void || (s.is(i, "void") && !pointer);
    }
    if (!is_void) {
        c.report(k.open - 1, "kernel-result", "kernel " + k.name + " must return void");
    }
}

void check_buffers(const context &c, const function &k)
{
    const scan &s = c.s;
    size_t buffers = 0;
    each_parameter(s, k, [&](size_t begin, size_t end) {
        attributes a = read_attributes(s, begin, end);
        bool memory = has_word(s, begin, end, "*") || has_word(s, begin, end, "&") ||
                      has_word(s, begin, end, "[");
        bool space = has_word(s, begin, end, "device") || has_word(s, begin, end, "constant");
        buffers += a.buffer || (memory && space && !a.other);
        const char *what = a.buffer ? "buffer(" : "threadgroup(";
        if (a.index != SIZE_MAX && a.index >= max_buffers) {
            c.report(end - 1, "buffers",
                     what + std::to_string(a.index) + "): indices end at 30");
        } else if (buffers > max_buffers) {
            c.report(begin, "buffers", "kernel " + k.name + " takes more than 31 buffers");
            buffers = 0;
        }
    });
}

} // namespace

void check_kernels(const context &c)
{
    for (const function &k : c.r.functions) {
        if (k.kernel) {
            check_result(c, k);
            check_buffers(c, k);
        }
    }
}

namespace
{

struct asserted {
    bool size = false;
    std::map<std::string, bool> offsets;
};

// What static assertions in `file` say of the struct.
asserted read_assertions(const scan &s, int file, const std::string &name)
{
    asserted a;
    for (size_t i = 0; i < s.tokens.size(); i++) {
        bool assertion = s.is(i, "static_assert") || s.is(i, "_Static_assert");
        if (!assertion || s.tokens[i].file != file) {
            continue;
        }
        size_t end = skip_brackets(s, i + 1, s.tokens.size());
        for (size_t k = i + 2; k < end; k++) {
            size_t type = k + 2 + s.is(k + 2, "struct");
            if (!s.is(k + 1, "(") || !s.is(type, name)) {
                continue;
            }
            a.size = a.size || (s.is(k, "sizeof") && s.is(type + 1, ")"));
            if (s.is(k, "offsetof") || s.is(k, "__builtin_offsetof")) {
                a.offsets[std::string(s.at(type + 2))] = true;
            }
        }
        i = end - 1;
    }
    return a;
}

const record *find_record(const context &c, std::string_view name)
{
    for (const record &r : c.r.records) {
        if (r.name == name && c.ours(r.at)) {
            return &r;
        }
    }
    return nullptr;
}

void check_layout(const context &c, const record &r)
{
    asserted a = read_assertions(c.s, c.s.tokens[r.at].file, r.name);
    if (!a.size) {
        c.report(r.at, "layout",
                 "struct " + r.name + " is shared with the host: static_assert its sizeof and the "
                                      "offset of every member beside it");
        return;
    }
    for (size_t m : r.members) {
        std::string name(c.s.at(m));
        if (!a.offsets.count(name)) {
            c.report(m, "layout",
                     "struct " + r.name + " is shared with the host: static_assert the offset of " +
                         name + " beside it");
        }
    }
}

} // namespace

void check_layouts(const context &c)
{
    std::set<std::string> seen;
    for (const function &k : c.r.functions) {
        if (!k.kernel) {
            continue;
        }
        each_parameter(c.s, k, [&](size_t begin, size_t end) {
            if (!has_word(c.s, begin, end, "constant")) {
                return;
            }
            for (size_t i = begin; i < end; i++) {
                const record *r = c.s.word(i) ? find_record(c, c.s.at(i)) : nullptr;
                bool pointed = c.s.is(i + 1, "&") || c.s.is(i + 1, "*") ||
                               (c.s.is(i + 1, "const") && c.s.is(i + 2, "&"));
                if (r && pointed && seen.insert(r->name).second) {
                    check_layout(c, *r);
                }
            }
        });
    }
}

} // namespace metal_lint
