#include "cpu/cache.h"

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "front/process.h"

namespace softmetal
{
namespace
{

std::string user_folder()
{
    const char *cache = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
    if (cache && *cache == '/') {
        return std::string(cache) + "/" SOFTMETAL_CACHE_NAME;
    }
    return home && *home == '/' ? std::string(home) + "/.cache/" SOFTMETAL_CACHE_NAME : "";
}

// Whether only the user can have written what this descriptor refers to.
bool is_own(int fd, mode_t type, std::string &why)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || (st.st_mode & S_IFMT) != type) {
        why = "is of another kind";
    } else if (st.st_uid != geteuid()) {
        why = "belongs to another user";
    } else if (st.st_mode & (S_IWGRP | S_IWOTH)) {
        why = "can be written by others";
    } else {
        return true;
    }
    return false;
}

bool is_usable(const std::string &path, std::string &why)
{
    make_directories(path.substr(0, path.rfind('/') + 1));
    mkdir(path.c_str(), 0700);
    int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        why = std::string("cannot be used: ") + std::strerror(errno);
        return false;
    }
    bool usable = is_own(fd, S_IFDIR, why);
    if (usable && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        why = std::string("cannot be written: ") + std::strerror(errno);
        usable = false;
    }
    close(fd);
    return usable;
}

// One for the process, which removes it when it exits; a fork leaves it to its parent.
class temporary_folder
{
  public:
    bool get(std::string &path, const std::string &note)
    {
        std::lock_guard<std::mutex> guard(lock);
        if (made.empty()) {
            const char *folder = std::getenv("TMPDIR");
            std::string name = std::string(folder ? folder : "") + "/softmetal-XXXXXX";
            if (name[0] != '/' || !folder || !mkdtemp(&name[0])) {
                name = "/tmp/softmetal-XXXXXX";
                if (!mkdtemp(&name[0])) {
                    return false;
                }
            }
            made = name;
            owner = getpid();
            std::fprintf(stderr, "softmetal: %s; compiled kernels go to a temporary folder\n",
                         note.c_str());
        }
        path = made;
        return true;
    }
    ~temporary_folder()
    {
        DIR *dir = made.empty() || owner != getpid() ? nullptr : opendir(made.c_str());
        while (dirent *e = dir ? readdir(dir) : nullptr) {
            unlinkat(dirfd(dir), e->d_name, 0);
        }
        if (dir) {
            closedir(dir);
            rmdir(made.c_str());
        }
    }

  private:
    std::mutex lock;
    std::string made;
    pid_t owner = 0;
};

} // namespace

bool open_cache(const std::string &wanted, std::string &path, std::string &error)
{
    static temporary_folder temporary;
    std::string why = "no folder for compiled kernels: neither XDG_CACHE_HOME nor HOME is set";
    path = wanted.empty() ? user_folder() : wanted;
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    if (!path.empty()) {
        char full[PATH_MAX];
        if (is_usable(path, why) && realpath(path.c_str(), full)) {
            path = full;
            return true;
        }
        why = path + " " + why;
    }
    if (temporary.get(path, why)) {
        return true;
    }
    error = why + ", and no temporary folder can be made";
    return false;
}

bool read_own(const std::string &path, std::string &text)
{
    int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    std::string why;
    bool good = fd >= 0 && is_own(fd, S_IFREG, why);
    std::vector<char> part(size_t(1) << 16);
    text.clear();
    while (good) {
        ssize_t n = read(fd, part.data(), part.size());
        if (n == 0) {
            break;
        }
        good = n > 0 || errno == EINTR;
        text.append(part.data(), n > 0 ? size_t(n) : 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

bool keep_file(const std::string &made, const std::string &path)
{
    return chmod(made.c_str(), 0600) == 0 && std::rename(made.c_str(), path.c_str()) == 0;
}

} // namespace softmetal
