#include "count/count_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include "count/count.h"

namespace softmetal
{
namespace
{

// Never destroyed: the process may end while threads still run.
struct process {
    std::mutex lock;
    std::set<std::string> begun; // files
    std::set<counter *> living;
    bool registered = false;
};

process &this_process()
{
    static process *one = new process;
    return *one;
}

std::string without_marks(std::string path)
{
    size_t at = path.find("%p");
    return at == std::string::npos ? path : path.replace(at, 2, std::to_string(getpid()));
}

} // namespace

std::unique_ptr<count_file> count_file::open(const std::string &path, std::string &error)
{
    auto made = std::make_unique<count_file>();
    made->path = without_marks(path);
    process &p = this_process();
    std::lock_guard<std::mutex> guard(p.lock);
    int begin = p.begun.count(made->path) ? 0 : O_TRUNC;
    made->descriptor =
        ::open(made->path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | begin, 0666);
    if (made->descriptor < 0) {
        error = made->path + ": the file of the counters cannot be written: " + strerror(errno);
        return nullptr;
    }
    p.begun.insert(made->path);
    return made;
}

count_file::~count_file()
{
    if (descriptor >= 0) {
        ::close(descriptor);
    }
}

bool count_file::write(const std::string &lines, std::string &error)
{
    std::lock_guard<std::mutex> guard(lock);
    for (size_t done = 0; done < lines.size();) {
        ssize_t n = ::write(descriptor, lines.data() + done, lines.size() - done);
        if (n < 0 && errno != EINTR) {
            error = path + ": the counters cannot be written: " + strerror(errno);
            return false;
        }
        done += n > 0 ? size_t(n) : 0;
    }
    return true;
}

void write_all_counters()
{
    process &p = this_process();
    std::lock_guard<std::mutex> guard(p.lock);
    for (counter *c : p.living) {
        std::string error;
        if (!c->write_kernels(error)) {
            std::fprintf(stderr, "softmetal: %s\n", error.c_str());
        }
    }
}

void write_at_exit(counter *c)
{
    process &p = this_process();
    std::lock_guard<std::mutex> guard(p.lock);
    p.living.insert(c);
    if (!p.registered) {
        p.registered = std::atexit(write_all_counters) == 0;
    }
}

void forget_at_exit(counter *c)
{
    process &p = this_process();
    std::lock_guard<std::mutex> guard(p.lock);
    p.living.erase(c);
}

} // namespace softmetal
