// From preprocessed MSL to C++: strips what C++ does not know, and records what the file offers.
// Lines are kept, so that the compiler's diagnostics name the lines of the `.metal` file.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "softmetal/cpu/abi.h"
#include "front/lexer.h"

namespace softmetal
{

struct kernel_argument {
    std::string name;
    std::string type; // as written, without attributes
    arg kind = arg::buffer;
    uint32_t index = 0;     // known here only if it is a plain number: see kernel_entry::codes
    std::string index_text; // an expression, for the compiler
    bool writable = false;  // device memory that is not const
    bool optional = false;  // depends on a function constant
};

struct kernel_record {
    std::string name; // for the host
    std::string file;
    int line = 0;
    size_t item = 0; // the definition or instantiation that makes it
    std::vector<kernel_argument> arguments;
    std::vector<std::string> constants; // function constants that it uses; `?`: optional
};

// A declaration at namespace scope, by tokens [begin, end).
struct item {
    enum kind_type { other, function, kernel, kernel_template, instantiation } kind = other;
    std::string name;
    std::string scope;
    size_t begin = 0, end = 0;
    size_t body = 0;           // the token `{` of its body; 0: none
    size_t made_of = SIZE_MAX; // of an instantiation: the item of its template
    std::string tag;           // of a kernel: the type that stands for it, empty: none
};

// The pseudo-file, followed by the item's number, of the code that registers a kernel.
constexpr const char *item_file = "softmetal-item-";

struct edit {
    size_t begin, end; // in source::text
    std::string text;
    size_t item = SIZE_MAX; // goes when that item is left out
};

struct unit {
    source code;
    std::vector<item> items;
    std::vector<kernel_record> kernels;
    std::vector<std::string> constants; // names of function constants
    std::vector<edit> edits;
    std::string error;             // `file:line: message`; empty: none
    bool erring_divisions = false; // they may err, in checking mode
};

unit prepass(std::string preprocessed);

// What of a file is not compiled: whole items, and bodies of functions, which are deleted functions
// then: a call that needs one is an error, where it would find another overload if it were not there.
struct omission {
    std::set<size_t> items, bodies;
};

// The C++ text of what is left.
std::string emit(const unit &u, const omission &out);

// The words of an item's declaration and body.
std::set<std::string> words_of(const unit &u, const item &it);

std::string where(const unit &u, size_t token_index);

// ---- shared by the files of the pre-pass -------------------------------------------------------

// The token after the `>` that matches the `<` at i; `limit` if there is none.
size_t skip_angles(const source &s, size_t i, size_t limit);

// Whether an attribute `[[...]]` begins at i.
bool at_attribute(const source &s, size_t i);

bool is_address_space(std::string_view word);

// Reads the parameters between `open` and its `)`; false with u.error set if one has no meaning.
bool read_parameters(unit &u, size_t open, std::vector<kernel_argument> &arguments);

// Takes away the qualifier `coherent`: tokens and text.
void drop_coherent(unit &u);

// Adds the edits inside function bodies: threadgroup variables become memory of the group, counted
// for the kernel whose tag, with its template arguments, is `tag`. Returns how many there are.
size_t edit_threadgroup_variables(unit &u, size_t begin, size_t end, const std::string &tag);

// Tokens as C++: no address spaces, no attributes.
std::string text_of(const source &s, size_t begin, size_t end);

// What stands for a kernel where its sizes are told: a type, a template if the kernel is one.
struct kernel_tag {
    std::string name;     // empty: the kernel cannot have one
    std::string use;      // inside the kernel, with its template parameters
    std::string text;     // the definition
    bool threads = false; // it says max_total_threads_per_threadgroup
};

// Of the kernel whose head is the tokens [begin, end).
kernel_tag make_tag(const unit &u, size_t begin, size_t end);

// `::a::b::` of an item's scope.
std::string qualifier(const std::string &scope);

// Fills the function constants that each kernel reaches through the functions it names.
void find_constants(unit &u);

} // namespace softmetal
