#include "front/process.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

extern char **environ;

namespace softmetal
{

bool read_file(const std::string &path, std::string &text)
{
    std::ifstream in(path, std::ios::binary);
    std::ostringstream all;
    if (!in || !(all << in.rdbuf())) {
        // An empty file fails the insertion, but is read.
        return in.is_open() && in.peek() == std::ifstream::traits_type::eof();
    }
    text = all.str();
    return true;
}

bool write_file(const std::string &path, const std::string &text)
{
    std::string beside = temporary_name(path, "");
    int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < text.size();) {
        ssize_t n = write(fd, text.data() + at, text.size() - at);
        good = n > 0 || (n < 0 && errno == EINTR);
        at += n > 0 ? static_cast<size_t>(n) : 0;
    }
    good = fd >= 0 && close(fd) == 0 && good;
    good = good && std::rename(beside.c_str(), path.c_str()) == 0;
    if (!good && fd >= 0) {
        std::remove(beside.c_str());
    }
    return good;
}

void make_directories(const std::string &path)
{
    for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
        mkdir(path.substr(0, at).c_str(), 0777);
    }
}

std::string temporary_name(const std::string &directory, const std::string &suffix)
{
    static std::atomic<unsigned> count;
    return directory + ".tmp" + std::to_string(getpid()) + "." + std::to_string(count++) + suffix;
}

namespace
{

struct pipes {
    int out[2] = {-1, -1}, err[2] = {-1, -1};

    ~pipes()
    {
        for (int fd : {out[0], out[1], err[0], err[1]}) {
            if (fd >= 0) {
                close(fd);
            }
        }
    }
    bool open_all()
    {
        return pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;
    }
    void close_writers()
    {
        close(out[1]);
        close(err[1]);
        out[1] = err[1] = -1;
    }
};

void collect(pipes &p, run_result &result)
{
    struct pollfd fds[2] = {{p.out[0], POLLIN, 0}, {p.err[0], POLLIN, 0}};
    int open_ends = 2;
    char buffer[65536];
    while (open_ends > 0 && (poll(fds, 2, -1) >= 0 || errno == EINTR)) {
        for (int i = 0; i < 2; i++) {
            if (fds[i].fd < 0 || !fds[i].revents) {
                continue;
            }
            ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
            if (n > 0) {
                (i ? result.err : result.out).append(buffer, static_cast<size_t>(n));
            } else if (n == 0 || errno != EINTR) {
                fds[i].fd = -1;
                open_ends--;
            }
        }
    }
}

} // namespace

run_result run(const std::vector<std::string> &arguments)
{
    run_result result;
    pipes p;
    if (!p.open_all()) {
        return result;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, p.out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, p.err[1], 2);
    std::vector<char *> argv;
    for (const std::string &a : arguments) {
        argv.push_back(const_cast<char *>(a.c_str()));
    }
    argv.push_back(nullptr);
    pid_t pid;
    int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        result.err = arguments[0] + ": cannot be started";
        return result;
    }
    p.close_writers();
    collect(p, result);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

std::string hash(const std::string &text)
{
    XXH128_hash_t h = XXH3_128bits(text.data(), text.size());
    char digits[33];
    std::snprintf(digits, sizeof digits, "%016llx%016llx",
                  static_cast<unsigned long long>(h.high64),
                  static_cast<unsigned long long>(h.low64));
    return digits;
}

} // namespace softmetal
