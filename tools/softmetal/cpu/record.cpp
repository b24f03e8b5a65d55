// The record of a compilation: lines of fields separated by tabs.
#include <cstdlib>
#include <sstream>

#include "cpu/compiler.h"

namespace softmetal
{
namespace
{

std::string plain(std::string text)
{
    for (char &c : text) {
        c = c == '\t' || c == '\n' ? ' ' : c;
    }
    return text;
}

std::vector<std::string> fields(const std::string &line)
{
    std::vector<std::string> list;
    std::istringstream in(line);
    for (std::string f; std::getline(in, f, '\t');) {
        list.push_back(f);
    }
    return list;
}

} // namespace

std::string write_record(const compile_result &result)
{
    std::string out = "softmetal\n";
    for (const std::string &e : result.errors) {
        out += "error\t" + plain(e) + "\n";
    }
    for (const kernel_result &r : result.kernels) {
        const kernel_record &k = r.kernel;
        out += "kernel\t" + plain(k.name) + "\t" + plain(k.file) + "\t" + std::to_string(k.line) +
               "\t" + plain(r.error) + "\n";
        for (const kernel_argument &a : k.arguments) {
            out += "argument\t" + plain(a.name) + "\t" + plain(a.type) + "\t" +
                   std::to_string(uint32_t(a.kind)) + "\t" + std::to_string(a.index) + "\t" +
                   (a.writable ? "1" : "0") + "\t" + (a.optional ? "1" : "0") + "\n";
        }
        for (const std::string &c : k.constants) {
            out += "constant\t" + plain(c) + "\n";
        }
    }
    return out + (result.sum.empty() ? "nothing\n" : "object\t" + result.sum + "\n");
}

bool read_record(const std::string &text, compile_result &result)
{
    std::istringstream in(text);
    std::string line;
    if (!std::getline(in, line) || line != "softmetal") {
        return false;
    }
    while (std::getline(in, line)) {
        std::vector<std::string> f = fields(line);
        if (f.size() == 2 && f[0] == "error") {
            result.errors.push_back(f[1]);
        } else if (f.size() >= 4 && f[0] == "kernel") {
            kernel_result r;
            r.kernel.name = f[1];
            r.kernel.file = f[2];
            r.kernel.line = std::atoi(f[3].c_str());
            r.error = f.size() > 4 ? f[4] : "";
            result.kernels.push_back(r);
        } else if (f.size() == 7 && f[0] == "argument" && !result.kernels.empty()) {
            kernel_argument a;
            a.name = f[1];
            a.type = f[2];
            a.kind = arg(std::strtoul(f[3].c_str(), nullptr, 10));
            a.index = uint32_t(std::strtoul(f[4].c_str(), nullptr, 10));
            a.writable = f[5] == "1";
            a.optional = f[6] == "1";
            result.kernels.back().kernel.arguments.push_back(a);
        } else if (f.size() == 2 && f[0] == "constant" && !result.kernels.empty()) {
            result.kernels.back().kernel.constants.push_back(f[1]);
        } else if (line == "nothing" || (f.size() == 2 && f[0] == "object")) {
            result.sum = f.size() == 2 ? f[1] : "";
            return true;
        }
    }
    return false;
}

} // namespace softmetal
