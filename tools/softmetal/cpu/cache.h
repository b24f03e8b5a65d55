// The folder of compiled objects. What lies in it is loaded into the process, so it must be the
// user's own: nobody else may write there, and nothing that somebody else owns is read.
#pragma once

#include <string>

namespace softmetal
{

// Makes the folder `wanted` ready, or, without a name, the user's own below XDG_CACHE_HOME or
// ~/.cache. One that is not the user's, that others may write, or that cannot be written is not used:
// this is said on stderr, once, and a private temporary folder takes its place until the process
// exits. False with an error if there is none either. `path` is absolute.
bool open_cache(const std::string &wanted, std::string &path, std::string &error);

// Reads a file of such a folder: no symbolic link, owned by the user, written by nobody else.
bool read_own(const std::string &path, std::string &text);

// Gives a file that a compiler made the mode that read_own wants, and its name.
bool keep_file(const std::string &made, const std::string &path);

} // namespace softmetal
