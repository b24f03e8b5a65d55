// The part of the lint that a compiler does: address spaces as types, and C++14.
#pragma once

#include <string>
#include <vector>

#include "lint/rules.h"

namespace metal_lint
{

struct settings {
    std::string compiler; // clang++ 19
    std::string headers;  // folder of the lint's own headers
    std::vector<std::string> include_dirs, defines;
};

// Preprocesses a file; false if that fails, with the findings that say why.
bool preprocess(const settings &set, const std::string &file, std::string &text,
                std::vector<finding> &findings);

// Runs the front end over translated text. What it refuses for reasons other than address spaces is
// not judged here, since it is not Metal's compiler: `unchecked` gets it. False with `error` set if
// the front end did not run.
bool check_spaces(const settings &set, const std::string &translated,
                  std::vector<finding> &findings, std::vector<finding> &unchecked,
                  std::string &error);

} // namespace metal_lint
