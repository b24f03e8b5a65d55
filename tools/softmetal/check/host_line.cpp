// Where in the host's own code something happened.
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "runtime.h"
#include "front/process.h"

namespace softmetal
{
namespace
{

struct image {
    uintptr_t inside;
    std::string path;
    uintptr_t offset;
};

int find_image(dl_phdr_info *info, size_t, void *to)
{
    image &i = *static_cast<image *>(to);
    for (unsigned k = 0; k < info->dlpi_phnum; k++) {
        const auto &h = info->dlpi_phdr[k];
        if (h.p_type == PT_LOAD && i.inside - (info->dlpi_addr + h.p_vaddr) < h.p_memsz) {
            i.path = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "/proc/self/exe";
            i.offset = i.inside - info->dlpi_addr;
            return 1;
        }
    }
    return 0;
}

// The program's own path: /proc/self is another process for addr2line.
std::string real_path(const std::string &path)
{
    char *resolved = realpath(path.c_str(), nullptr);
    std::string found = resolved ? resolved : path;
    std::free(resolved);
    return found;
}

std::string shortened(const std::string &file)
{
    char *folder = getcwd(nullptr, 0);
    std::string start = folder ? std::string(folder) + "/" : "";
    std::free(folder);
    return !start.empty() && file.compare(0, start.size(), start) == 0 ? file.substr(start.size())
                                                                       : file;
}

// The innermost line of one address that is not in `own`, nor in a library whose source is not here.
bool line_of(const image &i, const char *own, std::string &file, int &line)
{
    char hex[32];
    std::snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(i.offset - 1));
    run_result found = run({"addr2line", "-i", "-e", real_path(i.path), hex});
    std::istringstream lines(found.out);
    for (std::string text; std::getline(lines, text);) {
        size_t colon = text.rfind(':');
        int number = colon == std::string::npos ? 0 : std::atoi(text.c_str() + colon + 1);
        if (number > 0 && text.find(own) == std::string::npos &&
            access(text.substr(0, colon).c_str(), R_OK) == 0) {
            file = shortened(text.substr(0, colon));
            line = number;
            return true;
        }
    }
    return false;
}

} // namespace
} // namespace softmetal

using namespace softmetal;

int sm_host_line(const void *const *frames, size_t count, const char *own, char *file, size_t room)
{
    std::string first, found;
    int line = 0;
    for (size_t k = 0; k < count; k++) {
        image i = {uintptr_t(frames[k]), "", 0};
        if (!dl_iterate_phdr(find_image, &i)) {
            continue;
        }
        char place[32];
        std::snprintf(place, sizeof place, "+0x%llx", static_cast<unsigned long long>(i.offset));
        first = first.empty() ? i.path + place : first;
        if (line_of(i, own, found, line)) {
            break;
        }
    }
    std::snprintf(file, room, "%s", line ? found.c_str() : first.c_str());
    return line;
}
