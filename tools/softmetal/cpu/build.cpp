// Runs clang over what the pre-pass emits: to check it, or to make the shared object. A file of many
// kernels is made in parts, each with some of the kernels, on as many processors.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cpu/cache.h"
#include "cpu/compiler.h"
#include "front/process.h"

namespace softmetal
{
namespace
{

constexpr size_t kernels_per_part = 24;

// Writes the text, and runs clang over it with `extra` arguments.
run_result compile_text(const toolchain &tools, const std::string &text, const std::string &object,
                        const std::vector<std::string> &extra)
{
    std::string file = temporary_name(object, ".cpp");
    run_result r;
    if (!write_file(file, text)) {
        r.err = file + ": cannot be written";
        return r;
    }
    std::vector<std::string> command = tools.common;
    command.insert(command.end(), {"-include-pch", tools.prelude, "-x", "c++", file});
    command.insert(command.end(), extra.begin(), extra.end());
    r = run(command);
    if (!std::getenv("SOFTMETAL_KEEP") && !covers()) {
        std::remove(file.c_str());
    }
    return r;
}

// How often each word occurs: a kernel that something else names must stay where it is.
std::map<std::string_view, size_t> count_words(const unit &u)
{
    std::map<std::string_view, size_t> count;
    for (size_t i = 0; i < u.code.tokens.size(); i++) {
        if (u.code.tok(i).kind == token::word) {
            count[u.code.at(i)]++;
        }
    }
    return count;
}

run_result link(const toolchain &tools, const std::vector<std::string> &objects,
                const std::string &made)
{
    // Functions of the file are in every part; all copies are the same.
    std::vector<std::string> command = {tools.common[0], "-shared", "-Wl,-z,muldefs", "-o", made};
    if (covers()) {
        command.push_back("-fprofile-instr-generate");
    }
    command.insert(command.end(), objects.begin(), objects.end());
    return run(command);
}

} // namespace

bool covers()
{
    const char *folder = std::getenv("SOFTMETAL_COVERAGE");
    return folder && *folder;
}

size_t processors()
{
    return std::max(1u, std::thread::hardware_concurrency());
}

omission without_others(const unit &u, const omission &out, const std::set<size_t> &kept)
{
    std::map<std::string_view, size_t> count = count_words(u);
    omission all = out;
    for (const kernel_record &k : u.kernels) {
        const item &it = u.items[k.item];
        bool named = it.kind == item::kernel && count[it.name] > 1;
        if (!kept.count(k.item) && !named) {
            all.items.insert(k.item);
        }
    }
    return all;
}

run_result check_unit(const toolchain &tools, const unit &u, const omission &out,
                      const std::string &object)
{
    return compile_text(tools, emit(u, out), object, {"-fsyntax-only"});
}

run_result build_unit(const toolchain &tools, const unit &u, const omission &out,
                      const std::string &object)
{
    std::vector<size_t> kernels;
    for (const kernel_record &k : u.kernels) {
        if (!out.items.count(k.item)) {
            kernels.push_back(k.item);
        }
    }
    size_t parts = std::clamp<size_t>(kernels.size() / kernels_per_part, 1, processors());
    std::string made = temporary_name(object, ".so");
    run_result result;
    if (parts == 1) {
        result = compile_text(tools, emit(u, out), object, {"-shared", "-o", made});
    } else {
        std::vector<std::string> objects;
        std::vector<run_result> results(parts);
        std::vector<std::thread> threads;
        for (size_t p = 0; p < parts; p++) {
            objects.push_back(temporary_name(object, ".o"));
            size_t first = kernels.size() * p / parts, last = kernels.size() * (p + 1) / parts;
            std::set<size_t> kept(kernels.begin() + static_cast<long>(first),
                                  kernels.begin() + static_cast<long>(last));
            threads.emplace_back([&, p, kept, name = objects.back()] {
                results[p] = compile_text(tools, emit(u, without_others(u, out, kept)), object,
                                          {"-c", "-o", name});
            });
        }
        result.status = 0;
        for (size_t p = 0; p < parts; p++) {
            threads[p].join();
            result.status = results[p].status ? results[p].status : result.status;
            result.err += results[p].err;
        }
        result = result.status == 0 ? link(tools, objects, made) : result;
        for (const std::string &o : objects) {
            std::remove(o.c_str());
        }
    }
    if (result.status == 0 && !keep_file(made, object)) {
        result.status = 1;
        result.err = object + ": cannot be written";
    }
    return result;
}

} // namespace softmetal
