#include "lint/structure.h"

#include <algorithm>

namespace metal_lint
{

bool is_address_space(std::string_view w)
{
    return w == "device" || w == "threadgroup" || w == "thread" || w == "constant" ||
           w == "threadgroup_imageblock" || w == "ray_data" || w == "object_data";
}

bool at_attribute(const scan &s, size_t i)
{
    return s.is(i, "[") && s.is(i + 1, "[") && s.tokens[i].end == s.tokens[i + 1].begin;
}

namespace
{

// Calls f(begin, end) for each part between commas.
template <class F> void each_part(const scan &s, size_t open, F f)
{
    size_t close = skip_brackets(s, open, s.tokens.size()) - 1;
    for (size_t begin = open + 1; begin < close;) {
        size_t end = begin;
        while (end < close && !s.is(end, ",")) {
            size_t after = end + 1;
            if (s.is(end, "(") || s.is(end, "[") || s.is(end, "{")) {
                after = skip_brackets(s, end, close);
            } else if (s.is(end, "<")) {
                after = std::max(after, skip_angles(s, end, close));
            }
            end = after;
        }
        f(begin, end);
        begin = end + 1;
    }
}

bool is_class_word(std::string_view t)
{
    return t == "struct" || t == "class" || t == "union" || t == "enum";
}

// A declaration as far as it was read.
struct shape {
    size_t begin = 0, end = 0;
    size_t open = 0, body = 0, assign = 0, colon = 0, name = 0;
    size_t class_at = 0, class_name = 0, class_body = 0, class_end = 0;
    bool has_class = false, has_open = false, templated = false, kernel = false;
};

struct reader {
    reader(const scan &s, structure &r) : s(s), r(r)
    {
    }

    void scope(size_t begin, size_t end, record *owner)
    {
        for (size_t i = begin; i < end;) {
            size_t next = declaration(i, end, owner);
            i = std::max(next, i + 1);
        }
    }

  private:
    const scan &s;
    structure &r;

    size_t past_semicolon(size_t i, size_t end) const
    {
        while (i < end && !s.is(i, ";")) {
            bool bracket = s.is(i, "(") || s.is(i, "[") || s.is(i, "{");
            i = bracket ? skip_brackets(s, i, end) : i + 1;
        }
        return i + 1;
    }

    size_t declaration(size_t i, size_t end, record *owner)
    {
        std::string_view t = s.at(i);
        bool label = t == "public" || t == "private" || t == "protected";
        if (t == ";" || t == "}" || (label && s.is(i + 1, ":"))) {
            return i + (label ? 2 : 1);
        }
        if (t == "template" && !s.is(i + 1, "<")) {
            return past_semicolon(i, end); // an instantiation
        }
        if (t == "using" || t == "typedef") {
            return alias(i, end);
        }
        if (t == "friend" || t == "static_assert" || t == "_Static_assert") {
            return past_semicolon(i, end);
        }
        bool space = t == "namespace" || (t == "inline" && s.is(i + 1, "namespace"));
        if (space || (t == "extern" && i + 1 < end && s.tokens[i + 1].kind == token::text)) {
            size_t open = i;
            while (open < end && !s.is(open, "{") && !s.is(open, ";") && !s.is(open, "=")) {
                open++;
            }
            if (s.is(open, "{")) {
                size_t after = skip_brackets(s, open, end);
                scope(open + 1, after - 1, nullptr);
                return after;
            }
        }
        shape d = read_shape(i, end);
        note(d, owner);
        return d.end;
    }

    size_t alias(size_t i, size_t end)
    {
        size_t after = past_semicolon(i, end);
        size_t name = i + 1;
        if (s.is(i, "typedef")) {
            size_t open = i + (s.is(i + 2, "{") ? 2 : 3);
            bool made = (s.is(i + 1, "struct") || s.is(i + 1, "union")) && s.is(open, "{");
            if (made && s.word(after - 2)) { // typedef struct {...} name;
                record r0;
                r0.name = std::string(s.at(after - 2));
                r0.at = after - 2;
                scope(open + 1, skip_brackets(s, open, end) - 1, &r0);
                r.records.push_back(r0);
                return after;
            }
            name = after - 2;
            while (name > i && (s.is(name, "]") || s.is(name, ")"))) {
                name = opening_of(s, name) - 1;
            }
        } else if (!s.is(i + 2, "=")) {
            return after; // using namespace, using a name
        }
        r.aliases.insert(std::string(s.at(name)));
        for (size_t k = i; k < after && k < end; k++) {
            if (is_address_space(s.at(k))) {
                r.qualified.insert(std::string(s.at(name)));
            }
        }
        return after;
    }

    void template_head(size_t open, size_t after)
    {
        for (size_t k = open; k + 1 < after; k++) {
            if ((s.is(k, "typename") || s.is(k, "class")) && s.word(k + 1) &&
                (s.is(k - 1, "<") || s.is(k - 1, ","))) {
                r.aliases.insert(std::string(s.at(k + 1)));
            }
        }
    }

    // Where the parts of the declaration at i are.
    shape read_shape(size_t i, size_t end)
    {
        shape d;
        d.begin = i;
        while (i < end) {
            std::string_view t = s.at(i);
            if (t == "template" && s.is(i + 1, "<")) {
                size_t after = skip_angles(s, i + 1, end);
                template_head(i + 1, after);
                d.templated = true;
                i = std::max(after, i + 2);
            } else if (at_attribute(s, i)) {
                size_t after = skip_brackets(s, i, end);
                d.kernel = d.kernel || (after == i + 5 && s.is(i + 2, "kernel"));
                i = after;
            } else if (t == "alignas" || t == "__attribute__" || t == "decltype") {
                i = skip_brackets(s, i + 1, end);
            } else if (t == "operator") {
                d.name = i;
                i += s.is(i + 1, "(") ? 3 : 1;
                while (i < end && !s.is(i, "(")) {
                    i++;
                }
            } else if (t == ";") {
                d.end = i + 1;
                return d;
            } else if (t == "{") {
                if (brace(d, i, end)) {
                    return d;
                }
            } else {
                i = plain(d, i, end);
            }
        }
        d.end = end;
        return d;
    }

    size_t plain(shape &d, size_t i, size_t end)
    {
        std::string_view t = s.at(i);
        if (t == "kernel") {
            d.kernel = true;
        } else if (is_class_word(t) && !d.has_class && !d.has_open && !d.assign) {
            d.has_class = true;
            d.class_at = i;
        } else if (t == "(") {
            if (!d.has_open && !d.assign) {
                d.has_open = true;
                d.open = i;
                d.name = d.name ? d.name : i - 1;
                if (s.is(d.name, ">")) {
                    d.name = opening_of(s, d.name) - 1;
                }
            }
            return skip_brackets(s, i, end);
        } else if (t == "[") {
            return skip_brackets(s, i, end);
        } else if (t == "<" && i > 0 && s.word(i - 1)) {
            return std::max(i + 1, skip_angles(s, i, end));
        } else if (t == "=" && !d.assign) {
            d.assign = i;
        } else if (t == ":" && !d.colon) {
            d.colon = i;
        } else if (d.has_class && !d.class_name && s.word(i)) {
            d.class_name = i;
        }
        return i + 1;
    }

    // True if the brace ends the declaration.
    bool brace(shape &d, size_t &i, size_t end)
    {
        size_t after = skip_brackets(s, i, end);
        bool member_init = d.colon && d.has_open && d.colon > d.open && s.word(i - 1) &&
                           (s.is(after, ",") || s.is(after, "{"));
        if (d.has_class && !d.has_open && !d.assign && !d.class_body) {
            d.class_body = i;
            d.class_end = after;
        } else if (d.has_open && !d.assign && !member_init) {
            d.body = i;
            d.end = after;
            return true;
        }
        i = after;
        return false;
    }

    void note(const shape &d, record *owner)
    {
        if (d.class_body) {
            record made;
            made.at = d.class_name ? d.class_name : d.class_at;
            made.name = d.class_name ? std::string(s.at(d.class_name)) : "";
            if (!s.is(d.class_at, "enum")) {
                scope(d.class_body + 1, d.class_end - 1, &made);
                r.records.push_back(made);
            }
        }
        bool is_function = d.has_open && !(d.assign && d.assign < d.open) && !d.class_body;
        if (is_function) {
            note_function(d, owner);
        } else {
            note_variables(d, owner);
        }
    }

    void note_function(const shape &d, record *owner)
    {
        function f;
        f.name = std::string(s.at(d.name));
        f.begin = d.begin;
        f.open = d.open;
        f.close = skip_brackets(s, d.open, d.end) - 1;
        f.body = d.body;
        f.end = d.end;
        f.kernel = d.kernel;
        f.templated = d.templated;
        f.member = owner != nullptr;
        each_part(s, d.open, [&](size_t begin, size_t end) {
            bool nothing = end == begin + 1 && s.is(begin, "void");
            bool optional = false;
            for (size_t k = begin; k < end; k++) {
                optional = optional || s.is(k, "=");
            }
            f.parameters += !nothing;
            f.required += !nothing && !optional;
        });
        r.parameter_opens.insert(f.open);
        for (size_t k = f.body; f.body && k < f.end; k++) {
            r.in_function[k] = true;
            if ((s.is(k, "using") || s.is(k, "typedef")) && k + 2 < f.end) {
                alias(k, f.end);
            }
        }
        r.functions.push_back(f);
    }

    // The names of a declaration that is neither function nor type.
    void note_variables(const shape &d, record *owner)
    {
        size_t i = d.class_body ? d.class_end : d.begin, words = 0;
        size_t elaborated = d.has_class && !d.class_body;
        for (; i < d.end; i++) {
            if (at_attribute(s, i) || s.is(i, "(") || s.is(i, "[") || s.is(i, "{")) {
                i = skip_brackets(s, i, d.end) - 1;
                continue;
            }
            if (s.is(i, "template") || (s.is(i, "<") && s.word(i - 1))) {
                i = std::max(i + 1, skip_angles(s, s.is(i, "<") ? i : i + 1, d.end)) - 1;
                continue;
            }
            if (s.is(i, "=")) {
                while (i + 1 < d.end && !s.is(i + 1, ",") && !s.is(i + 1, ";")) {
                    i++;
                    if (s.is(i, "(") || s.is(i, "[") || s.is(i, "{")) {
                        i = skip_brackets(s, i, d.end) - 1;
                    }
                }
                continue;
            }
            bool last = s.is(i + 1, ";") || s.is(i + 1, ",") || s.is(i + 1, "[") ||
                        s.is(i + 1, "=") || s.is(i + 1, "{") || s.is(i + 1, ":");
            bool enough = words > 1 + elaborated || (words > elaborated) || d.class_body;
            if (s.word(i) && last && enough && !(elaborated && words < 2)) {
                r.variables.push_back({i, d.begin, d.end, owner != nullptr});
                if (owner) {
                    owner->members.push_back(i);
                }
            }
            words += s.word(i);
        }
    }
};

} // namespace

size_t count_arguments(const scan &s, size_t open)
{
    size_t n = 0;
    each_part(s, open, [&](size_t, size_t) { n++; });
    return n;
}

structure read_structure(const scan &s)
{
    structure r;
    r.in_function.resize(s.tokens.size() + 1);
    reader(s, r).scope(0, s.tokens.size(), nullptr);
    return r;
}

} // namespace metal_lint
