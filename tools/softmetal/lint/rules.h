// The rules that no C++ front end knows.
#pragma once

#include <string>
#include <vector>

#include "lint/structure.h"

namespace metal_lint
{

struct finding {
    std::string file;
    int line = 0;
    std::string rule, message;
};

// What a rule sees of a file, and where it reports.
struct context {
    const scan &s;
    const structure &r;
    std::vector<finding> &findings;

    // Whether the token stands in a file of the project, not of the system.
    bool ours(size_t i) const;
    void report(size_t i, const char *rule, const std::string &message) const;
};

void check_words(const context &c);     // what MSL lacks: goto, double, lambda, ...
void check_headers(const context &c);   // headers of C and C++
void check_fast_math(const context &c); // sin and the like of unbounded arguments
void check_pointers(const context &c);  // pointers and references without an address space
void check_kernels(const context &c);   // results and buffers of kernels
void check_variables(const context &c); // program-scope variables, function constants
void check_layouts(const context &c);   // argument structs without assertions
void check_recursion(const context &c);

// Where the virtual folder of headers of C and C++ is mounted, with a slash at its end.
constexpr const char *standard_folder = "/softmetal-standard/";

} // namespace metal_lint
