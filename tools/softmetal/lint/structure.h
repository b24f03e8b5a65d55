// What a file declares, by tokens: functions, variables, classes, other names of types.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lint/tokens.h"

namespace metal_lint
{

struct function {
    std::string name;
    size_t begin = 0;           // the first token of the declaration
    size_t open = 0, close = 0; // the parentheses of the parameters
    size_t body = 0, end = 0;   // `{` (0: none), and the token after the declaration
    bool kernel = false, templated = false, member = false;
    size_t parameters = 0, required = 0; // how many, and how many have no default
};

struct variable {
    size_t name = 0, begin = 0, end = 0;
    bool member = false;
};

struct record {
    std::string name;
    size_t at = 0;               // the token of its name
    std::vector<size_t> members; // tokens of the names of its variables
};

struct structure {
    std::vector<function> functions;
    std::vector<variable> variables;
    std::vector<record> records;
    std::set<std::string> aliases;    // other names of types, and type parameters of templates
    std::set<std::string> qualified;  // those of aliases that carry an address space
    std::set<size_t> parameter_opens; // the parentheses of parameters of functions
    std::vector<bool> in_function;    // by token: inside a function's body
};

structure read_structure(const scan &s);

bool is_address_space(std::string_view word);

// Whether an attribute `[[...]]` begins at i.
bool at_attribute(const scan &s, size_t i);

// The arguments between the parenthesis at `open` and its match: how many; none if it is empty.
size_t count_arguments(const scan &s, size_t open);

} // namespace metal_lint
