// From Metal to what clang's OpenCL C++ front end reads, line by line.
#pragma once

#include <string>

#include "lint/structure.h"

namespace metal_lint
{

// The preprocessed text with address spaces as OpenCL's, without attributes, with the constructions
// of vectors as calls of templates. Line markers stay, so that messages name the lines of the file.
std::string translate(const scan &s, const structure &r);

} // namespace metal_lint
