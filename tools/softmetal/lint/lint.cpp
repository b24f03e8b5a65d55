#include "lint/lint.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <algorithm>
#include <tuple>

#include "front/process.h"
#include "lint/front_end.h"
#include "lint/translate.h"

namespace metal_lint
{
namespace
{

struct request {
    settings set;
    std::vector<std::string> files;
    bool show_unchecked = false;
};

int usage()
{
    std::fputs("usage: softmetal lint [-I DIR]... [-D NAME[=VALUE]]... [--unchecked] FILE...\n"
               "prints `file:line: rule: message` for what Apple's compiler refuses or the host\n"
               "cannot rely on, and exits 1 if there is any; --unchecked also lists, on standard\n"
               "error, what the address-space check did not understand.\n",
               stderr);
    return 2;
}

bool read_arguments(int argc, char **argv, request &r)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        bool dir = std::strncmp(a, "-I", 2) == 0, define = std::strncmp(a, "-D", 2) == 0;
        if (dir || define) {
            const char *value = a[2] ? a + 2 : i + 1 < argc ? argv[++i] : nullptr;
            if (!value) {
                return false;
            }
            (dir ? r.set.include_dirs : r.set.defines).push_back(value);
        } else if (std::strcmp(a, "--unchecked") == 0) {
            r.show_unchecked = true;
        } else if (a[0] == '-') {
            return false;
        } else {
            r.files.push_back(a);
        }
    }
    return !r.files.empty();
}

std::string setting(const char *variable, const char *otherwise)
{
    const char *value = std::getenv(variable);
    return value && *value ? value : otherwise;
}

// The findings of one file and of the project's headers that it includes.
bool check_file(const request &r, const std::string &file, std::vector<finding> &findings,
                std::vector<finding> &unchecked)
{
    std::string text, error;
    if (!softmetal::read_file(file, text)) {
        std::fprintf(stderr, "softmetal: %s: cannot be read\n", file.c_str());
        return false;
    }
    if (!preprocess(r.set, file, text, findings)) {
        return true;
    }
    scan s = lex(std::move(text));
    structure parts = read_structure(s);
    context c{s, parts, findings};
    for (auto *rule : {check_words, check_headers, check_fast_math, check_pointers, check_kernels,
                       check_variables, check_layouts, check_recursion}) {
        rule(c);
    }
    if (!check_spaces(r.set, translate(s, parts), findings, unchecked, error)) {
        std::fprintf(stderr, "softmetal: %s: not read to its end: %s\n", file.c_str(),
                     error.c_str());
        return false;
    }
    return true;
}

void sort_and_unite(std::vector<finding> &list)
{
    auto key = [](const finding &f) { return std::tie(f.file, f.line, f.rule, f.message); };
    std::sort(list.begin(), list.end(),
              [&](const finding &a, const finding &b) { return key(a) < key(b); });
    list.erase(std::unique(list.begin(), list.end(),
                           [&](const finding &a, const finding &b) { return key(a) == key(b); }),
               list.end());
}

void print(const std::vector<finding> &list, FILE *to, const char *rule)
{
    for (const finding &f : list) {
        std::fprintf(to, "%s:%d: %s: %s\n", f.file.c_str(), f.line, rule ? rule : f.rule.c_str(),
                     f.message.c_str());
    }
}

} // namespace
} // namespace metal_lint

extern "C" int softmetal_lint(int argc, char **argv)
{
    using namespace metal_lint;
    request r;
    r.set.compiler = setting("SOFTMETAL_CXX", "clang++-19");
    r.set.headers = setting("SOFTMETAL_LINT_INCLUDE", SOFTMETAL_LINT_HEADERS);
    if (!read_arguments(argc, argv, r)) {
        return usage();
    }
    std::vector<finding> findings, unchecked;
    bool read = true;
    for (const std::string &file : r.files) {
        read = check_file(r, file, findings, unchecked) && read;
    }
    sort_and_unite(findings);
    sort_and_unite(unchecked);
    print(findings, stdout, nullptr);
    if (r.show_unchecked) {
        print(unchecked, stderr, "unchecked");
    } else if (!unchecked.empty()) {
        std::fprintf(stderr,
                     "softmetal: the address-space check did not understand %zu places; "
                     "--unchecked lists them\n",
                     unchecked.size());
    }
    return read && findings.empty() ? 0 : 1;
}
