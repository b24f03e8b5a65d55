// The tag of a kernel, through which its threadgroup variables and its attribute reach the host, and
// the names it is registered by.
#include "front/prepass.h"

namespace softmetal
{
namespace
{

bool is_type_word(std::string_view t)
{
    for (const char *word :
         {"int", "uint", "short", "ushort", "char", "uchar", "long", "ulong", "bool", "size_t",
          "unsigned", "signed", "const", "typename", "class", "auto", "float", "half"}) {
        if (t == word) {
            return true;
        }
    }
    return false;
}

// The name of the template parameter [begin, end), "..." after a pack; empty if it has none.
std::string parameter_name(const source &s, size_t begin, size_t end)
{
    std::string name;
    size_t words = 0;
    bool pack = false;
    for (size_t i = begin; i < end && !s.is(i, "=");) {
        if (s.is(i, "<")) {
            i = skip_angles(s, i, end);
        } else if (s.is(i, "(")) { // a pointer to a function: `void (*name)(...)`
            bool inner = s.is(i + 1, "*") || s.is(i + 1, "&");
            return inner && s.tok(i + 2).kind == token::word ? std::string(s.at(i + 2)) : "";
        } else {
            pack = pack || s.is(i, ".");
            if (s.tok(i).kind == token::word) {
                words += !(i > begin && s.is(i - 1, "::"));
                name = std::string(s.at(i));
            }
            i++;
        }
    }
    return words < 2 || is_type_word(name) ? "" : name + (pack ? "..." : "");
}

// `<A, B, C...>` of the template head whose `<` is at i; empty if a parameter has no name.
std::string parameter_names(const source &s, size_t i, size_t limit)
{
    size_t close = skip_angles(s, i, limit) - 1;
    std::string list;
    for (size_t begin = i + 1; begin < close;) {
        size_t end = begin;
        while (end < close && !s.is(end, ",")) {
            end = s.is(end, "<")   ? skip_angles(s, end, close)
                  : s.is(end, "(") ? skip_brackets(s, end, close)
                                   : end + 1;
        }
        std::string name = parameter_name(s, begin, end);
        if (name.empty()) {
            return "";
        }
        list += (list.empty() ? "<" : ", ") + name;
        begin = end + 1;
    }
    return list.empty() ? "" : list + ">";
}

} // namespace

std::string text_of(const source &s, size_t begin, size_t end)
{
    std::string text;
    for (size_t i = begin; i < end;) {
        if (at_attribute(s, i)) {
            i = skip_brackets(s, i, end);
            continue;
        }
        std::string_view t = s.at(i++);
        text += (t == "constant"       ? "const"
                 : is_address_space(t) ? ""
                                       : std::string(t)) +
                (t == "." ? "" : " ");
    }
    return text;
}

kernel_tag make_tag(const unit &u, size_t begin, size_t end)
{
    const source &s = u.code;
    kernel_tag tag;
    std::string head, threads = "0";
    if (s.is(begin, "template")) {
        std::string names = parameter_names(s, begin + 1, end);
        if (names.empty()) {
            return tag;
        }
        head = text_of(s, begin, skip_angles(s, begin + 1, end));
        tag.use = names;
    }
    for (size_t i = begin; i + 1 < end; i++) {
        if (s.is(i, "max_total_threads_per_threadgroup") && s.is(i + 1, "(")) {
            threads = text_of(s, i + 1, skip_brackets(s, i + 1, end));
            tag.threads = true;
        }
    }
    // Of this object alone, as what counts for it is, or parts of a file would be counted together.
    tag.name = "softmetal_tag_" + std::to_string(u.items.size());
    tag.use = tag.name + tag.use;
    tag.text = "namespace { " + head + "struct " + tag.name +
               " { static constexpr unsigned threads = unsigned(" + threads + "); }; } ";
    return tag;
}

std::string qualifier(const std::string &scope)
{
    std::string path = "::", word;
    for (size_t at = 0; at < scope.size(); at++) {
        size_t end = scope.find('/', at);
        end = end == std::string::npos ? scope.size() : end;
        word = scope.substr(at, end - at);
        bool is_name = !word.empty() && word != "namespace" && word != "inline" && word != "extern";
        path += is_name ? word + "::" : "";
        at = end;
    }
    return path;
}

} // namespace softmetal
