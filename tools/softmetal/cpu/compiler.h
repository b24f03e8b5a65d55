// From a `.metal` file to a shared object in the cache.
#pragma once

#include <string>
#include <vector>

#include "backend.h"
#include "front/prepass.h"
#include "front/process.h"

namespace softmetal
{

// Where things are.
struct compiler_setup {
    std::string headers;  // folder of the MSL headers
    std::string compiler; // clang++
    std::string cache;    // folder, see cache.h
};

compile_result compile(const compile_request &request, const compiler_setup &setup);

// ---- shared by the files of the compiler ---------------------------------------------------------

struct toolchain {
    std::vector<std::string> common; // compiler and the flags of every compilation
    std::string identity;            // of compiler, flags and headers, for keys
    std::string prelude;             // the precompiled library
};

struct diagnostic {
    std::string file, message;
    int line = 0;
    struct place {
        std::string file;
        int line;
    };
    std::vector<place> notes;
};

// The errors in the output of clang, each with the places of its notes.
std::vector<diagnostic> read_diagnostics(const std::string &text);

// What to leave out so that of the kernels only those in `kept` remain.
omission without_others(const unit &u, const omission &out, const std::set<size_t> &kept);

// Runs the front end only; temporary files stand beside `object`.
run_result check_unit(const toolchain &tools, const unit &u, const omission &out,
                      const std::string &object);
run_result build_unit(const toolchain &tools, const unit &u, const omission &out,
                      const std::string &object);
size_t processors();

// Whether objects count their lines (SOFTMETAL_COVERAGE).
bool covers();

// Compiles what can be compiled; fills kernels with the errors of the others.
void compile_unit(const toolchain &tools, const unit &u, const std::string &object,
                  compile_result &result);

// The record of a compilation, as text in the cache.
std::string write_record(const compile_result &result);
bool read_record(const std::string &text, compile_result &result);

} // namespace softmetal
