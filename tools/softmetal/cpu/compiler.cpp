// The steps of a compilation, and the cache around them.
//
// Two keys. The first, of the source file and the flags, leads to a manifest: the files that were
// included, with their hashes, and the second key. The second, of the preprocessed text, names the
// object; so an edit of a comment, or the same text from another place, finds the old object.
#include "cpu/compiler.h"

#include <climits>
#include <cstdlib>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "cpu/cache.h"
#include "front/process.h"

namespace softmetal
{
namespace
{

const char *const flags[] = {
    "-std=c++17",
    "-Xclang",
    "-ffloat16-excess-precision=none",
    "-fdeclspec",
    "-fno-spell-checking",
    "-fsigned-char",
    "-O2",
#if defined(__aarch64__)
    "-mcpu=native",
#else
    "-march=native",
#endif
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-fno-strict-aliasing",
    "-fno-finite-loops", // a loop without end has none here either
    "-fvisibility=hidden",
    "-fPIC",
    "-w",
    "-Wno-invalid-constexpr",
    "-ferror-limit=0",
    "-ftemplate-backtrace-limit=0",
    "-ftemplate-depth=2048",
    "-fno-caret-diagnostics",
    "-fno-color-diagnostics",
    "-fno-diagnostics-show-option",
};

// Callbacks before loads and stores, seen one by one and with their lines; no sanitizer is linked.
const char *const check_flags[] = {
    "-DSOFTMETAL_CHECK=1",
    "-gdwarf-4",
    "-gline-tables-only",
    "-fdebug-compilation-dir=.",
    "-fno-omit-frame-pointer",
    "-mno-omit-leaf-frame-pointer",
    "-fno-optimize-sibling-calls",
    "-fno-vectorize",
    "-fno-slp-vectorize",
    "-fno-unroll-loops",
    "-ftrivial-auto-var-init=pattern",
    "-fsanitize=thread,array-bounds",
    "-fstrict-flex-arrays=3", // the last array of a structure has its bounds as well
    "-fno-sanitize-link-runtime",
    "-mllvm",
    "-tsan-instrument-func-entry-exit=0",
    "-mllvm",
    "-tsan-instrument-atomics=0",
    "-mllvm",
    "-tsan-instrument-read-before-write=1",
    "-mllvm",
    "-sink-common-insts=0",
    "-mllvm",
    "-hoist-common-insts=0",
};

// Counts how often each line ran (LLVM's source-based coverage).
const char *const coverage_flags[] = {"-fprofile-instr-generate", "-fcoverage-mapping"};

const char *const defines[] = {
    "-D__METAL__=1",
    "-D__METAL_VERSION__=310",
    "-D__HAVE_BFLOAT__=1",
    "-D__METAL_MACOS__=1",
    "-D__METAL_CPP__=1",
    "-D__HAVE_SIMDGROUP_MATRIX__=1",
    "-D__HAVE_SIMDGROUP__=1",
    "-D__METAL_FAST_MATH__=1",
    "-D__METAL_MAYBE_FAST_MATH__=1",
    "-D__METAL_PRECISE_MATH__=0",
    "-D__SOFTMETAL__=1",
    "-U__linux__",
    "-U__gnu_linux__",
    "-Ulinux",
    "-Uunix",
    "-U__unix__",
    "-U__x86_64__",
    "-U__SSE2__",
    "-DSOFTMETAL_PREPROCESS=1",
};

std::string headers_text(const std::string &folder)
{
    std::vector<std::string> names;
    DIR *dir = opendir(folder.c_str());
    if (!dir) {
        return "";
    }
    while (dirent *e = readdir(dir)) {
        if (e->d_name[0] != '.') {
            names.push_back(e->d_name);
        }
    }
    closedir(dir);
    std::sort(names.begin(), names.end());
    std::string all, text;
    for (const std::string &n : names) {
        std::string path = folder + "/" + n;
        struct stat st;
        if (stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
            all += n + "/" + headers_text(path);
        } else if (read_file(path, text)) {
            all += n + "\n" + text;
        }
    }
    return all;
}

// What distinguishes one installed compiler from another, without running it.
std::string compiler_identity(const std::string &name)
{
    std::vector<std::string> candidates;
    if (name.find('/') != std::string::npos) {
        candidates.push_back(name);
    } else {
        const char *path = std::getenv("PATH");
        std::istringstream list(path ? path : "");
        for (std::string folder; std::getline(list, folder, ':');) {
            candidates.push_back(folder + "/" + name);
        }
    }
    for (const std::string &c : candidates) {
        struct stat st;
        if (access(c.c_str(), X_OK) == 0 && stat(c.c_str(), &st) == 0) {
            return c + " " + std::to_string(st.st_size) + " " + std::to_string(st.st_mtime);
        }
    }
    return "";
}

// Objects are made for this processor: another one must not find them in a shared cache.
std::string processor_features()
{
    std::string text;
    read_file("/proc/cpuinfo", text);
    size_t at = text.find("\nflags");
    at = at == std::string::npos ? text.find("\nFeatures") : at;
    return at == std::string::npos ? "" : text.substr(at, text.find('\n', at + 1) - at);
}

// What the compiler is told, and the names that follow from it.
bool prepare(const compile_request &request, const compiler_setup &setup, toolchain &tools,
             std::string &error)
{
    std::string compiler = compiler_identity(setup.compiler);
    if (compiler.empty()) {
        error = setup.compiler + ": no such compiler; install clang-19 or set SOFTMETAL_CXX";
        return false;
    }
    std::string headers = headers_text(setup.headers + "/softmetal");
    if (headers.empty()) {
        error = setup.headers + ": the MSL headers are not there; set SOFTMETAL_INCLUDE";
        return false;
    }
    tools.common = {setup.compiler};
    tools.common.insert(tools.common.end(), std::begin(flags), std::end(flags));
    if (request.check) {
        tools.common.insert(tools.common.end(), std::begin(check_flags), std::end(check_flags));
    }
    if (covers()) {
        tools.common.insert(tools.common.end(), std::begin(coverage_flags),
                            std::end(coverage_flags));
    }
    std::string key =
        compiler + headers + SOFTMETAL_SOURCES + processor_features() + std::to_string(abi_version);
    for (const std::string &f : tools.common) {
        key += " " + f;
    }
    for (const char *d : defines) {
        key += std::string(" ") + d;
    }
    tools.identity = hash(key);
    tools.prelude = setup.cache + "/prelude-" + tools.identity + ".pch";
    return true;
}

// Makes the precompiled library unless it is there as it was made. The sum beside it is written last.
bool need_prelude(const compiler_setup &setup, const toolchain &tools, std::string &error)
{
    std::string bytes, sum, sum_file = tools.prelude + ".sum";
    if (read_own(sum_file, sum) && read_own(tools.prelude, bytes) && hash(bytes) == sum) {
        return true;
    }
    std::vector<std::string> command = tools.common;
    std::string made = temporary_name(tools.prelude, ".pch");
    command.insert(command.end(),
                   {"-I", setup.headers, "-x", "c++-header", "-fpch-instantiate-templates",
                    setup.headers + "/softmetal/library.h", "-o", made});
    run_result r = run(command);
    if (r.status != 0 || !read_file(made, bytes) || !keep_file(made, tools.prelude)) {
        error = "the MSL library does not compile:\n" + r.err;
        return false;
    }
    write_file(sum_file, hash(bytes));
    return true;
}

std::vector<std::string> preprocess_command(const compile_request &request,
                                            const compiler_setup &setup, const std::string &file)
{
    std::vector<std::string> c = {setup.compiler,
                                  "-E",
                                  "-x",
                                  "c++",
                                  "-std=c++17",
                                  "-nostdinc",
                                  "-nostdinc++",
                                  "-fno-color-diagnostics",
                                  "-fno-caret-diagnostics",
                                  "-w"};
    c.insert(c.end(), std::begin(defines), std::end(defines));
    for (const std::string &d : request.defines) {
        c.push_back("-D" + d);
    }
    for (const std::string &d : request.include_dirs) {
        c.insert(c.end(), {"-I", d});
    }
    c.insert(c.end(), {"-isystem", setup.headers, file});
    return c;
}

// `hash path` a line for every file that was read, then `= key`.
std::string write_manifest(const unit &u, const std::string &key)
{
    std::string lines, text;
    for (const source_file &file : u.code.files) {
        const std::string &f = file.name;
        if (f.empty() || f[0] == '<' || !read_file(f, text)) {
            continue;
        }
        lines += hash(text) + " " + f + "\n";
    }
    return lines + "= " + key + "\n";
}

std::string key_of_manifest(const std::string &manifest)
{
    std::istringstream in(manifest);
    std::string text;
    for (std::string line; std::getline(in, line);) {
        if (line.compare(0, 2, "= ") == 0) {
            return line.substr(2);
        }
        if (line.size() < 34 || !read_file(line.substr(33), text) ||
            hash(text) != line.substr(0, 32)) {
            return "";
        }
    }
    return "";
}

std::string absolute(const std::string &path)
{
    char resolved[PATH_MAX];
    return realpath(path.c_str(), resolved) ? resolved : path;
}

// False: not there, or not as it was written, and must be made again.
bool load_record(const std::string &base, compile_result &result)
{
    std::string text, bytes;
    if (!read_own(base + ".record", text) || !read_record(text, result)) {
        return false;
    }
    result.cached = true;
    result.object = result.sum.empty() ? "" : base + ".so";
    return result.sum.empty() || (read_own(result.object, bytes) && hash(bytes) == result.sum);
}

std::string shorten(const std::string &text, const std::string &file, const std::string &name)
{
    std::string out = text;
    for (size_t at = 0; file != name && (at = out.find(file, at)) != std::string::npos;) {
        out.replace(at, file.size(), name);
        at += name.size();
    }
    return out;
}

// Preprocesses and compiles what the manifest did not lead to.
void compile_anew(const compile_request &request, const compiler_setup &setup,
                  const toolchain &tools, const std::string &manifest_file, compile_result &result)
{
    std::string file = request.path;
    if (request.from_text) {
        file = temporary_name(setup.cache + "/source", ".metal");
        if (!write_file(file, "#line 1 \"" + request.path + "\"\n" + request.text)) {
            result.error = file + ": cannot be written";
            return;
        }
    }
    run_result r = run(preprocess_command(request, setup, file));
    if (request.from_text) {
        std::remove(file.c_str());
    }
    if (r.status != 0) {
        result.error = shorten(r.err, file, request.path);
        return;
    }
    std::string key = hash(tools.identity + r.out);
    std::string base = setup.cache + "/" + key;
    unit u = prepass(shorten(r.out, file, request.path));
    u.erring_divisions = request.check;
    if (!u.error.empty()) {
        result.error = u.error;
        return;
    }
    if (request.anew || !load_record(base, result)) {
        result = compile_result();
        if (!need_prelude(setup, tools, result.error)) {
            return;
        }
        compile_unit(tools, u, base + ".so", result);
        if (!result.error.empty()) {
            return;
        }
        std::string bytes;
        if (result.object.empty() || read_own(result.object, bytes)) {
            result.sum = result.object.empty() ? "" : hash(bytes);
            write_file(base + ".record", write_record(result));
        }
    }
    write_file(manifest_file, write_manifest(u, key));
}

} // namespace

compile_result compile(const compile_request &request, const compiler_setup &setup)
{
    compile_result result;
    toolchain tools;
    std::string text = request.text;
    if (!request.from_text && !read_file(request.path, text)) {
        result.error = request.path + ": cannot be read";
        return result;
    }
    if (!prepare(request, setup, tools, result.error)) {
        return result;
    }
    std::string key = tools.identity + absolute(request.path) + "\n" + request.path + "\n";
    for (const std::string &d : request.defines) {
        key += "-D" + d + "\n";
    }
    for (const std::string &d : request.include_dirs) {
        key += "-I" + absolute(d) + "\n";
    }
    std::string manifest_file = setup.cache + "/" + hash(key + text) + ".manifest", manifest;
    if (!request.anew && read_own(manifest_file, manifest)) {
        std::string found = key_of_manifest(manifest);
        if (!found.empty() && load_record(setup.cache + "/" + found, result)) {
            return result;
        }
        result = compile_result();
    }
    compile_anew(request, setup, tools, manifest_file, result);
    return result;
}

} // namespace softmetal
