#include "lint/front_end.h"

#include <cstdio>
#include <cstdlib>
#include <set>

#include "front/process.h"

namespace metal_lint
{
namespace
{

struct diagnostic {
    finding what;
    std::string kind;
    std::vector<std::string> notes;
};

// `file:line:column: kind: message`
bool split(const std::string &line, diagnostic &d)
{
    for (const char *kind : {"fatal error", "error", "warning", "note"}) {
        std::string mark = std::string(": ") + kind + ": ";
        size_t at = line.find(mark);
        if (at == std::string::npos) {
            continue;
        }
        size_t column = line.rfind(':', at - 1);
        size_t number = column == std::string::npos ? column : line.rfind(':', column - 1);
        if (number == std::string::npos) {
            return false;
        }
        d.kind = kind;
        d.what.file = line.substr(0, number);
        d.what.line = std::atoi(line.c_str() + number + 1);
        d.what.message = line.substr(at + mark.size());
        return true;
    }
    return false;
}

std::vector<diagnostic> read_diagnostics(const std::string &text)
{
    std::vector<diagnostic> list;
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find('\n', at);
        end = end == std::string::npos ? text.size() : end;
        diagnostic d;
        if (split(text.substr(at, end - at), d)) {
            if (d.kind == "note" && !list.empty()) {
                list.back().notes.push_back(d.what.message);
            } else if (d.kind != "note") {
                list.push_back(d);
            }
        }
        at = end + 1;
    }
    return list;
}

const char *const space_names[] = {"__global", "__local", "__constant", "__private"};

// The address spaces in quoted types that are pointers, references or arrays, one mask for each.
std::set<unsigned> spaces_of_types(const std::string &message)
{
    std::set<unsigned> masks;
    for (size_t at = message.find('\''); at != std::string::npos;) {
        size_t end = message.find('\'', at + 1);
        if (end == std::string::npos) {
            break;
        }
        std::string type = message.substr(at + 1, end - at - 1);
        at = message.find('\'', end + 1);
        size_t star = type.find_last_of("*&");
        star = star == std::string::npos ? type.find('[') : star;
        if (star == std::string::npos) {
            continue;
        }
        type.resize(star); // what follows is the address space of the pointer itself
        unsigned mask = 0;
        for (unsigned i = 0; i < 4; i++) {
            mask |= unsigned(type.find(space_names[i]) != std::string::npos) << i;
        }
        masks.insert(mask);
    }
    return masks;
}

// Whether a message speaks of two address spaces that the code itself named. The generic one stands
// where the code names none, which is the business of another rule.
bool is_about_spaces(const std::string &message)
{
    if (message.find("__generic") != std::string::npos ||
        message.find("variable in ") == 0 || message.find("variables in the ") == 0 ||
        message.find("must") != std::string::npos) {
        return false;
    }
    return message.find("address space") != std::string::npos ||
           spaces_of_types(message).size() > 1;
}

// OpenCL's words back to Metal's.
std::string in_metal(std::string text)
{
    const char *const names[][2] = {{"*__private'", "*'"},      {"__global", "device"},
                                    {"__local", "threadgroup"}, {"__constant", "constant"},
                                    {"__private", "thread"},    {"clang compiler", "compiler"}};
    for (const auto &n : names) {
        for (size_t at = 0; (at = text.find(n[0], at)) != std::string::npos;) {
            text.replace(at, std::string(n[0]).size(), n[1]);
        }
    }
    return text;
}

// OpenCL's copy constructors and assignments take no constant object; Metal's do.
bool is_copy_of_constant(const diagnostic &d)
{
    bool copies = d.what.message.find("no matching constructor") == 0 ||
                  d.what.message.find("no viable overloaded '='") == 0 ||
                  d.what.message.find("no viable conversion") == 0;
    bool found = false;
    for (const std::string &note : d.notes) {
        found = found || (note.find("__generic") != std::string::npos &&
                          note.find("__constant") != std::string::npos);
    }
    return copies && found;
}

void judge(const diagnostic &d, std::vector<finding> &findings, std::vector<finding> &unchecked)
{
    finding f = d.what;
    if (d.kind == "warning") {
        f.rule = "c++14";
        size_t at = f.message.find(" [-W");
        f.message = f.message.substr(0, at);
        findings.push_back(f);
        return;
    }
    if (is_copy_of_constant(d)) {
        return;
    }
    bool found = is_about_spaces(f.message), generic = false;
    for (const std::string &note : d.notes) {
        generic = generic || note.find("__generic") != std::string::npos;
        if (!found && is_about_spaces(note)) {
            f.message += ": " + note;
            found = true;
        }
    }
    f.rule = "address-space";
    f.message = in_metal(f.message);
    (found && !generic ? findings : unchecked).push_back(f);
}

const char *const defines[] = {
    "-D__METAL__=1",          "-D__METAL_VERSION__=310", "-D__HAVE_BFLOAT__=1",
    "-D__METAL_MACOS__=1",    "-D__METAL_CPP__=1",       "-D__HAVE_SIMDGROUP_MATRIX__=1",
    "-D__HAVE_SIMDGROUP__=1", "-D__METAL_FAST_MATH__=1", "-D__METAL_MAYBE_FAST_MATH__=1",
    "-U__linux__",            "-U__gnu_linux__",         "-Ulinux",
    "-Uunix",                 "-U__unix__",              "-U__x86_64__",
    "-U__aarch64__",          "-U__SSE2__",
};

} // namespace

bool preprocess(const settings &set, const std::string &file, std::string &text,
                std::vector<finding> &findings)
{
    std::vector<std::string> c = {
        set.compiler, "-E",        "-x", "c++", "-std=c++14", "-nostdinc", "-nostdinc++",
        "-w",         "-fno-color-diagnostics", "-fno-caret-diagnostics"};
    c.insert(c.end(), std::begin(defines), std::end(defines));
    for (const std::string &d : set.defines) {
        c.push_back("-D" + d);
    }
    for (const std::string &d : set.include_dirs) {
        c.insert(c.end(), {"-I", d});
    }
    c.insert(c.end(), {"-ivfsoverlay", set.headers + "/headers.yaml", "-isystem",
                       "/softmetal-metal", "-isystem", "/softmetal-standard", file});
    softmetal::run_result r = softmetal::run(c);
    text = r.out;
    if (r.status == 0) {
        return true;
    }
    for (const diagnostic &d : read_diagnostics(r.err)) {
        findings.push_back({d.what.file, d.what.line, "preprocess", d.what.message});
    }
    if (findings.empty()) {
        findings.push_back({file, 1, "preprocess", r.err.substr(0, r.err.find('\n'))});
    }
    return false;
}

bool check_spaces(const settings &set, const std::string &translated,
                  std::vector<finding> &findings, std::vector<finding> &unchecked,
                  std::string &error)
{
    const char *folder = std::getenv("TMPDIR");
    std::string file = softmetal::temporary_name(
        std::string(folder && *folder ? folder : "/tmp") + "/softmetal-lint", ".clcpp");
    if (!softmetal::write_file(file, translated)) {
        error = file + ": cannot be written";
        return false;
    }
    softmetal::run_result r = softmetal::run(
        {set.compiler, "--target=spir64", "-cl-no-stdinc", "-x", "clcpp", "-cl-std=clc++2021",
         "-cl-single-precision-constant", "-fsyntax-only", "-Wno-everything", "-Wpre-c++17-compat",
         "-fdeclspec", "-ferror-limit=0", "-ftemplate-backtrace-limit=1", "-fno-caret-diagnostics",
         "-fno-color-diagnostics", "-fno-elide-type", "-include", set.headers + "/library.h",
         file});
    std::remove(file.c_str());
    std::vector<diagnostic> list = read_diagnostics(r.err);
    for (const diagnostic &d : list) {
        judge(d, findings, unchecked);
    }
    // Any other status than success and refusal is a crash, after which the rest was not read.
    if (r.status > 1 || r.status < 0 || (r.status == 1 && list.empty())) {
        error = set.compiler + " failed: " + r.err.substr(0, r.err.find('\n'));
        return false;
    }
    return true;
}

} // namespace metal_lint
