// Parameters of kernels: what each is, from its attribute or from its address space.
#include <cstdlib>

#include "front/prepass.h"

namespace softmetal
{
namespace
{

struct named_arg {
    const char *name;
    arg kind;
};

const named_arg builtins[] = {
    {"thread_position_in_grid", arg::thread_position_in_grid},
    {"thread_position_in_threadgroup", arg::thread_position_in_threadgroup},
    {"thread_index_in_threadgroup", arg::thread_index_in_threadgroup},
    {"thread_index_in_simdgroup", arg::thread_index_in_simdgroup},
    {"simdgroup_index_in_threadgroup", arg::simdgroup_index_in_threadgroup},
    {"threadgroup_position_in_grid", arg::threadgroup_position_in_grid},
    {"threads_per_threadgroup", arg::threads_per_threadgroup},
    {"threads_per_grid", arg::threads_per_grid},
    {"threadgroups_per_grid", arg::threadgroups_per_grid},
    {"threads_per_simdgroup", arg::threads_per_simdgroup},
    {"simdgroups_per_threadgroup", arg::simdgroups_per_threadgroup},
    {"dispatch_threads_per_threadgroup", arg::dispatch_threads_per_threadgroup},
    {"dispatch_simdgroups_per_threadgroup", arg::dispatch_simdgroups_per_threadgroup},
    {"thread_execution_width", arg::thread_execution_width},
    {"thread_index_in_quadgroup", arg::thread_index_in_quadgroup},
    {"quadgroup_index_in_threadgroup", arg::quadgroup_index_in_threadgroup},
    {"quadgroups_per_threadgroup", arg::quadgroups_per_threadgroup},
    {"grid_origin", arg::grid_origin},
    {"grid_size", arg::grid_size},
};

struct parameter {
    kernel_argument argument;
    size_t first = 0;
    bool numbered = false;
    bool builtin = false;
    bool memory = false; // a pointer or a reference
    bool in_threadgroup = false;
    bool is_const = false;
    bool empty = true;
};

bool fail(unit &u, size_t token_index, const std::string &message)
{
    u.error = where(u, token_index) + ": " + message;
    return false;
}

// The index in an attribute: a number, or an expression of constants for the compiler to work out.
bool read_index(const source &s, size_t i, size_t limit, kernel_argument &a)
{
    if (!s.is(i, "(")) {
        return false;
    }
    size_t close = skip_brackets(s, i, limit) - 1;
    for (size_t k = i + 1; k < close; k++) {
        a.index_text += std::string(s.at(k)) + " ";
    }
    bool number = close == i + 2 && s.tok(i + 1).kind == token::number;
    a.index = number ? static_cast<uint32_t>(std::strtoul(a.index_text.c_str(), nullptr, 0)) : 0;
    return close > i + 1;
}

bool read_attribute(unit &u, size_t begin, size_t end, parameter &p)
{
    const source &s = u.code;
    for (size_t i = begin; i < end; i++) {
        if (s.tok(i).kind != token::word) {
            continue;
        }
        std::string_view word = s.at(i);
        if (word == "buffer" || word == "threadgroup") {
            if (!read_index(s, i + 1, end, p.argument)) {
                return fail(u, i, "[[" + std::string(word) + "]] needs an index");
            }
            if (p.argument.index >= max_buffers) {
                return fail(u, i,
                            "[[" + std::string(word) + "]] index " +
                                std::to_string(p.argument.index) + " is not below 31");
            }
            p.argument.kind = word == "buffer" ? arg::buffer : arg::threadgroup;
            p.numbered = true;
            i = skip_brackets(s, i + 1, end) - 1;
        } else if (word == "function_constant") {
            p.argument.optional = true;
            i = skip_brackets(s, i + 1, end) - 1;
        } else if (word == "texture" || word == "sampler" || word == "stage_in") {
            return fail(u, i, "[[" + std::string(word) + "]] is not supported");
        } else {
            for (const named_arg &b : builtins) {
                if (word == b.name) {
                    p.argument.kind = b.kind;
                    p.builtin = true;
                }
            }
        }
    }
    return true;
}

bool read_parameter(unit &u, size_t begin, size_t end, parameter &p)
{
    const source &s = u.code;
    size_t name = SIZE_MAX;
    for (size_t i = begin; i < end;) {
        if (at_attribute(s, i)) {
            size_t after = skip_brackets(s, i, end);
            if (!read_attribute(u, i + 2, after - 2, p)) {
                return false;
            }
            i = after;
            continue;
        }
        if (s.is(i, "[")) { // an array parameter is a pointer
            p.memory = true;
            i = skip_brackets(s, i, end);
            continue;
        }
        std::string_view word = s.at(i);
        p.empty = p.empty && word == "void";
        p.memory = p.memory || word == "*" || word == "&";
        p.in_threadgroup = p.in_threadgroup || word == "threadgroup";
        // A const after the star makes the pointer constant, not what it points to.
        p.is_const = p.is_const || (!p.memory && (word == "const" || word == "constant"));
        if (s.tok(i).kind == token::word) {
            name = i;
        }
        p.argument.type += (p.argument.type.empty() ? "" : " ") + std::string(word);
        i++;
    }
    if (!p.empty && name != SIZE_MAX) {
        p.argument.name = std::string(s.at(name));
        size_t cut = p.argument.type.rfind(p.argument.name);
        p.argument.type.erase(cut);
        while (!p.argument.type.empty() && p.argument.type.back() == ' ') {
            p.argument.type.pop_back();
        }
    }
    return true;
}

// Without an attribute, memory takes the next index of its kind that nothing else has.
bool number_parameters(unit &u, std::vector<parameter> &list)
{
    std::set<uint32_t> used[2];
    for (const parameter &p : list) {
        // What only the compiler can work out is assumed to lie above the parameters without one.
        bool known = p.numbered &&
                     p.argument.index_text.find_first_not_of("0123456789 ") == std::string::npos;
        if (known) {
            used[p.argument.kind == arg::threadgroup].insert(p.argument.index);
        }
    }
    for (parameter &p : list) {
        if (p.numbered || p.builtin) {
            continue;
        }
        if (!p.memory) {
            return fail(u, p.first,
                        "parameter '" + p.argument.name +
                            "' is neither memory nor a built-in value");
        }
        std::set<uint32_t> &taken = used[p.in_threadgroup];
        uint32_t index = 0;
        while (taken.count(index)) {
            index++;
        }
        if (index >= max_buffers) {
            return fail(u, p.first, "more than 31 buffers");
        }
        taken.insert(index);
        p.argument.kind = p.in_threadgroup ? arg::threadgroup : arg::buffer;
        p.argument.index = index;
    }
    return true;
}

} // namespace

bool read_parameters(unit &u, size_t open, std::vector<kernel_argument> &arguments)
{
    const source &s = u.code;
    size_t close = skip_brackets(s, open, s.tokens.size()) - 1;
    std::vector<parameter> list;
    for (size_t begin = open + 1; begin < close;) {
        size_t end = begin;
        while (end < close && !s.is(end, ",")) {
            if (s.is(end, "<")) {
                end = skip_angles(s, end, close);
            } else if (s.is(end, "(") || s.is(end, "[") || s.is(end, "{")) {
                end = skip_brackets(s, end, close);
            } else {
                end++;
            }
        }
        parameter p;
        p.first = begin;
        if (!read_parameter(u, begin, end, p)) {
            return false;
        }
        if (!p.empty) {
            list.push_back(p);
        }
        begin = end + 1;
    }
    if (!number_parameters(u, list)) {
        return false;
    }
    for (parameter &p : list) {
        p.argument.writable = p.argument.kind == arg::buffer && !p.is_const;
        arguments.push_back(p.argument);
    }
    return true;
}

} // namespace softmetal
