// Files and child processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace softmetal
{

bool read_file(const std::string &path, std::string &text);

// Written beside and moved, so that another process never sees half of it. For its user alone.
bool write_file(const std::string &path, const std::string &text);

// Makes the folders that a path names up to its last slash, as far as they are missing.
void make_directories(const std::string &path);

// A name in `directory` that no other process or thread uses.
std::string temporary_name(const std::string &directory, const std::string &suffix);

struct run_result {
    int status = -1; // exit status; -1: it did not start or was killed
    std::string out, err;
};

// Runs a program found on PATH, without a shell.
run_result run(const std::vector<std::string> &arguments);

// 32 hexadecimal digits.
std::string hash(const std::string &text);

} // namespace softmetal
