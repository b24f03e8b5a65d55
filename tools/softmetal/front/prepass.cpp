// Finds the declarations of a file: kernels, their instantiations, function constants, functions.
#include "front/prepass.h"

#include <algorithm>

namespace softmetal
{

namespace
{

bool is_class_word(std::string_view t)
{
    return t == "struct" || t == "class" || t == "union" || t == "enum";
}

struct scanner {
    explicit scanner(unit &u) : u(u), s(u.code)
    {
    }

    void scope(size_t begin, size_t end, const std::string &name, bool in_class)
    {
        for (size_t i = begin; i < end && u.error.empty();) {
            size_t next = in_class ? member_label(i) : i;
            i = next != i ? next : declaration(i, end, name, in_class);
        }
    }

  private:
    unit &u;
    source &s;
    std::map<std::string, size_t> defined; // signature without address spaces
    size_t unnamed = 0;

    struct shape {
        size_t begin, end;   // tokens
        size_t head_end;     // of the part before the body, the initialiser or the `;`
        size_t body = 0;     // `{` of a function or class
        size_t open = 0;     // `(` of the parameters
        size_t class_at = 0; // index + 1 of `struct` and the like
        size_t assign = 0;   // `=`
    };

    size_t member_label(size_t i) const
    {
        std::string_view t = s.at(i);
        bool label = (t == "public" || t == "private" || t == "protected") && s.is(i + 1, ":");
        return label ? i + 2 : i;
    }

    size_t blank(size_t i)
    {
        u.edits.push_back({s.tok(i).begin, s.tok(i).end, ""});
        return i + 1;
    }

    size_t declaration(size_t i, size_t end, const std::string &name, bool in_class)
    {
        if (s.is(i, ";")) {
            return i + 1;
        }
        if (!in_class && (s.is(i, "namespace") || (s.is(i, "inline") && s.is(i + 1, "namespace")) ||
                          (s.is(i, "extern") &&
                           s.tok(std::min(i + 1, s.tokens.size() - 1)).kind == token::text))) {
            size_t open = i;
            std::string inner = name;
            while (open < end && !s.is(open, "{") && !s.is(open, ";") && !s.is(open, "=")) {
                inner += s.tok(open).kind == token::word ? "/" + std::string(s.at(open)) : "";
                open++;
            }
            if (s.is(open, "{")) {
                size_t after = skip_brackets(s, open, end);
                scope(open + 1, after - 1, inner, false);
                return after;
            }
        }
        shape d = find_shape(i, end);
        if (duplicate(d, name)) {
            return d.end;
        }
        bool is_kernel = !in_class && d.body && !d.class_at && head_has(d, "kernel");
        kernel_tag tag = is_kernel ? make_tag(u, d.begin, d.head_end) : kernel_tag();
        if (d.class_at && d.body) {
            size_t close = skip_brackets(s, d.body, end) - 1;
            scope(d.body + 1, close, name + "/" + std::to_string(unnamed++), true);
        } else if (d.body && edit_threadgroup_variables(u, d.body, d.end, tag.use) == 0 &&
                   !tag.threads) {
            tag.name.clear(); // nothing to tell
        }
        if (!tag.name.empty()) {
            size_t at = s.tok(d.begin).begin;
            u.edits.push_back({at, at, tag.text, u.items.size()});
        }
        if (!in_class) {
            note(d, name, tag.name);
        }
        return d.end;
    }

    // Where the parts of the declaration at i are.
    shape find_shape(size_t i, size_t limit) const
    {
        shape d = {i, limit, limit};
        bool colon = false;
        while (i < limit) {
            std::string_view t = s.at(i);
            if (t == "template" && s.is(i + 1, "<")) {
                i = skip_angles(s, i + 1, limit);
            } else if (at_attribute(s, i)) {
                i = skip_brackets(s, i, limit);
            } else if (t == "alignas" || t == "__attribute__" || t == "decltype") {
                i = skip_brackets(s, i + 1, limit);
            } else if (t == "operator") {
                i += s.is(i + 1, "(") ? 3 : 1; // `()` is a name, so are `=` and `<`
                while (i < limit && s.tok(i).kind == token::punctuation && !s.is(i, "(")) {
                    i++;
                }
            } else if (t == "(") {
                d.open = d.open && !d.assign && !colon ? i : (d.open ? d.open : i);
                i = skip_brackets(s, i, limit);
            } else if (t == "[") {
                i = skip_brackets(s, i, limit);
            } else if (t == "=" && !d.assign) {
                d.assign = i++;
                d.head_end = std::min(d.head_end, d.assign);
            } else if (t == ";") {
                d.head_end = std::min(d.head_end, i);
                d.end = i + 1;
                return d;
            } else if (t == "{") {
                size_t after = skip_brackets(s, i, limit);
                bool is_class = d.class_at && !d.open && !d.assign;
                bool member_init = colon && d.open && s.tok(i - 1).kind == token::word &&
                                   (s.is(after, ",") || s.is(after, "{"));
                bool is_function = d.open && !d.assign && !member_init;
                d.body = is_class || is_function ? i : d.body;
                d.head_end = member_init ? d.head_end : std::min(d.head_end, i);
                i = after;
                if (is_function) {
                    d.end = i;
                    return d;
                }
            } else {
                if (t == ":" && d.open && !d.assign) {
                    colon = true;
                    d.head_end = std::min(d.head_end, i);
                }
                d.class_at = is_class_word(t) && !d.open && !d.class_at ? i + 1 : d.class_at;
                i++;
            }
        }
        return d;
    }

    // MSL overloads on the address space; here the overloads are one function, defined once.
    bool duplicate(const shape &d, const std::string &scope)
    {
        bool in_class = !scope.empty() && scope.back() >= '0' && scope.back() <= '9';
        if (!d.body && !(in_class && d.open)) {
            return false;
        }
        std::string key = scope + "|" + (d.body ? "" : ";"), last;
        bool spaces = false;
        for (size_t i = d.begin; i < d.head_end;) {
            if (at_attribute(s, i)) {
                i = skip_brackets(s, i, d.head_end);
                continue;
            }
            std::string t(s.at(i++));
            spaces = spaces || is_address_space(t);
            bool trailing = i >= 2 && (s.is(i - 2, ")") || s.is(i - 2, "const"));
            t = t == "constant" && !(trailing && d.open && i > d.open) ? "const"
                : is_address_space(t)                                  ? ""
                                                                       : t;
            if (!t.empty() && !(t == "const" && last == "const")) {
                key += t + " ";
                last = t;
            }
        }
        bool again = !defined.emplace(key, d.begin).second;
        if (again && spaces) {
            u.edits.push_back({s.tok(d.begin).begin, s.tok(d.end - 1).end, ""});
            return true;
        }
        return false;
    }

    bool head_has(const shape &d, std::string_view word) const
    {
        for (size_t i = d.begin; i < d.head_end; i++) {
            if (s.is(i, "(") && i == d.open) {
                i = skip_brackets(s, i, d.head_end) - 1;
            } else if (s.is(i, word)) {
                return true;
            }
        }
        return false;
    }

    void note(const shape &d, const std::string &scope, const std::string &tag)
    {
        item it;
        it.tag = tag;
        it.begin = d.begin;
        it.end = d.end;
        it.scope = scope;
        it.body = d.class_at && !d.open ? 0 : d.body;
        bool is_kernel = head_has(d, "kernel"), hosted = head_has(d, "host_name");
        bool is_template = s.is(d.begin, "template");
        if (d.open && d.open > d.begin) {
            it.name = std::string(s.at(d.open - 1));
        } else if (d.class_at) {
            it.name = std::string(s.at(d.class_at));
        }
        if (is_template && !s.is(d.begin + 1, "<")) {
            if (is_kernel || hosted) {
                it.kind = item::instantiation;
            }
        } else if (is_kernel && it.body) {
            it.kind = is_template ? item::kernel_template : item::kernel;
        } else if (it.body) {
            it.kind = item::function;
        }
        u.items.push_back(it);
        size_t index = u.items.size() - 1;
        if (it.kind == item::kernel || it.kind == item::kernel_template) {
            add_kernel(index, d);
        } else if (it.kind == item::instantiation) {
            add_instantiation(index, d);
        } else if (!it.body && head_has(d, "function_constant")) {
            add_constant(d);
        } else if (!it.body && d.assign && !d.class_at) {
            add_derived(d);
        }
    }

    std::string host_name(const shape &d) const
    {
        for (size_t i = d.begin; i + 2 < d.end; i++) {
            if (s.is(i, "host_name") && s.is(i + 1, "(")) {
                std::string name;
                for (size_t k = i + 2; s.tok(k).kind == token::text; k++) {
                    name += s.at(k).substr(1, s.at(k).size() - 2);
                }
                return name;
            }
        }
        return "";
    }

    std::map<size_t, std::vector<kernel_argument>> arguments; // by item
    std::multimap<std::string, size_t> kernel_items;          // by function name

    // The kernel of that name which an instantiation in `scope` means; SIZE_MAX: none.
    size_t find_kernel(const std::string &name, const std::string &written,
                       const std::string &scope, bool &several) const
    {
        size_t best = SIZE_MAX, best_score = 0;
        several = false;
        auto [first, last] = kernel_items.equal_range(name);
        for (; first != last; ++first) {
            std::string path = qualifier(u.items[first->second].scope), here = qualifier(scope);
            bool ends = path.size() >= written.size() &&
                        path.compare(path.size() - written.size(), written.size(), written) == 0;
            bool around = here.compare(0, path.size(), path) == 0;
            size_t score = 1 + (ends && !written.empty() ? 1000 : 0) + (around ? path.size() : 0);
            several = several || score == best_score;
            if (score >= best_score) {
                several = several && score == best_score;
                best = first->second;
                best_score = score;
            }
        }
        return best;
    }

    void add_kernel(size_t index, const shape &d)
    {
        std::vector<kernel_argument> list;
        if (!read_parameters(u, d.open, list)) {
            return;
        }
        item &it = u.items[index];
        arguments[index] = list;
        kernel_items.emplace(it.name, index);
        if (it.kind == item::kernel_template) {
            return;
        }
        std::string name = host_name(d);
        add_record(index, name.empty() ? it.name : name, list);
        // Qualified: metal may have a function of that name.
        u.edits.push_back({s.tok(d.end - 1).end, s.tok(d.end - 1).end,
                           registration(u.kernels.back(), qualifier(it.scope) + it.name, it.tag),
                           index});
    }

    // `template [[host_name("x")]] kernel T f<A, B>;` or with parameters `... f<A>(...);`
    void add_instantiation(size_t index, const shape &d)
    {
        size_t end = d.end - 1; // the `;`
        std::string parameters;
        if (s.is(end - 1, ")")) {
            size_t open = end - 1;
            for (int depth = 0; open > d.begin; open--) {
                depth += s.is(open, ")");
                depth -= s.is(open, "(");
                if (depth == 0) {
                    break;
                }
            }
            end = open;
            parameters = "void" + text_of(s, open, d.end - 1);
        }
        size_t begin = end;
        if (s.is(end - 1, ">")) {
            int angles = 0, parens = 0;
            do {
                begin--;
                parens += s.is(begin, ")");
                parens -= s.is(begin, "(");
                angles += parens == 0 && s.is(begin, ">");
                angles -= parens == 0 && s.is(begin, "<");
            } while (begin > d.begin && angles > 0);
        }
        std::string name(begin > d.begin ? s.at(begin - 1) : "");
        size_t first = begin - 1;
        while (first > d.begin + 1 && s.is(first - 1, "::")) {
            first -= s.tok(first - 2).kind == token::word ? 2 : 1;
        }
        std::string written, values;
        for (size_t i = first; i + 1 < begin; i++) {
            written += std::string(s.at(i));
        }
        for (size_t i = begin; i < end; i++) {
            values += is_address_space(s.at(i)) ? "" : std::string(s.at(i)) + " ";
        }
        bool several;
        size_t kernel = find_kernel(name, written, u.items[index].scope, several);
        if (kernel == SIZE_MAX) {
            u.error = where(u, d.begin) + ": no kernel template '" + name + "' is declared above";
            return;
        }
        u.items[index].name = name;
        u.items[index].made_of = kernel;
        std::string host = host_name(d);
        add_record(index, host.empty() ? name : host, arguments[kernel]);
        written = written.empty() ? qualifier(u.items[kernel].scope) : written;
        bool deduced = values.empty() && !parameters.empty();
        // Of overloads it might be another's, and a tag has nothing to deduce its arguments from.
        std::string tag = several || deduced ? "" : u.items[kernel].tag;
        u.edits.push_back({s.tok(d.begin).begin, s.tok(d.end - 1).end,
                           registration(u.kernels.back(), written + name + values,
                                        tag.empty() ? "" : written + tag + values,
                                        deduced ? parameters : "")});
    }

    void add_record(size_t index, const std::string &name, const std::vector<kernel_argument> &list)
    {
        kernel_record k;
        k.name = name;
        k.item = index;
        k.arguments = list;
        const token &t = s.tok(u.items[index].begin);
        k.file = s.file_of(t);
        k.line = t.line;
        u.kernels.push_back(k);
    }

    // `signature`: the function's type, empty if its name alone says which it is.
    std::string registration(const kernel_record &k, const std::string &function,
                             const std::string &tag, const std::string &signature = "") const
    {
        // On a line of its own, so that an error met while instantiating names this kernel.
        std::string r = "\n# 1 \"" + std::string(item_file) + std::to_string(k.item) +
                        "\"\nstatic softmetal::add_kernel<" +
                        (tag.empty() ? "softmetal::no_tag" : tag) + ", " +
                        (signature.empty() ? "decltype(" + function + ")" : signature) + ", " +
                        function;
        for (const kernel_argument &a : k.arguments) {
            std::string index = a.index_text.empty() ? std::to_string(a.index) : a.index_text;
            r += ", softmetal::arg_code(softmetal::arg(" + std::to_string(uint32_t(a.kind)) +
                 "), " + index + ")";
        }
        const token &last = s.tok(u.items[k.item].end - 1);
        return r + "> softmetal_kernel_" + std::to_string(u.kernels.size()) + "(\"" + k.name +
               "\");\n# " + std::to_string(last.line) + " \"" + s.file_of(last) + "\"\n";
    }

    // The declared name and the type before it, without qualifiers and attributes.
    std::string split(const shape &d, size_t end, std::string &name) const
    {
        std::string type;
        for (size_t i = d.begin; i < end;) {
            if (at_attribute(s, i)) {
                i = skip_brackets(s, i, end);
                continue;
            }
            std::string t(s.at(i++));
            if (t == "const" || t == "static" || t == "constexpr" || is_address_space(t)) {
                continue;
            }
            type += name.empty() ? "" : name + " ";
            name = t;
        }
        return type;
    }

    // Required and optional function constants are variables that the loader sets.
    void add_constant(const shape &d)
    {
        std::string name, index;
        std::string type = split(d, d.head_end, name);
        for (size_t i = d.begin; i < d.end; i++) {
            if (s.is(i, "function_constant")) {
                for (size_t k = i + 1, e = skip_brackets(s, i + 1, d.end); k < e; k++) {
                    index += std::string(s.at(k)) + " ";
                }
                break;
            }
        }
        u.constants.push_back(name);
        std::string text = "static " + type + name + "; static bool softmetal_defined_" + name +
                           "; static softmetal::add_constant softmetal_constant_" + name + "(\"" +
                           name + "\", uint32_t" + index + ", " + name + ", softmetal_defined_" +
                           name + ");";
        u.edits.push_back({s.tok(d.begin).begin, s.tok(d.end - 1).end, text});
    }

    // A constant that depends on function constants is computed again for every pipeline.
    void add_derived(const shape &d)
    {
        bool depends = false;
        for (size_t i = d.assign; i < d.end; i++) {
            depends = depends || std::find(u.constants.begin(), u.constants.end(),
                                           std::string(s.at(i))) != u.constants.end();
        }
        if (!depends || s.is(d.assign - 1, "]")) {
            return;
        }
        std::string name;
        std::string type = split(d, d.assign, name);
        u.constants.push_back(name);
        std::string number = std::to_string(u.constants.size());
        u.edits.push_back({s.tok(d.begin).begin, s.tok(d.assign).end,
                           "static " + type + name + "; static bool softmetal_defined_" + name +
                               " = true; static softmetal::add_derived softmetal_derived_" +
                               number + "([] { " + name + " ="});
        u.edits.push_back({s.tok(d.end - 1).begin, s.tok(d.end - 1).end, "; });"});
    }
};

} // namespace

unit prepass(std::string preprocessed)
{
    unit u;
    u.code = lex(std::move(preprocessed));
    drop_coherent(u);
    scanner(u).scope(0, u.code.tokens.size(), "", false);
    if (u.error.empty() && !u.constants.empty()) {
        find_constants(u);
    }
    return u;
}

} // namespace softmetal
