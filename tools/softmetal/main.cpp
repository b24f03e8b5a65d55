// The command line: softmetal compile FILE.metal [-I DIR] [-D NAME[=VALUE]]
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "lint/lint.h"
#include "runtime.h"
#include "cpu/compiler.h"
#include "runtime/device.h"

namespace
{

int usage()
{
    std::fputs("usage: softmetal compile FILE.metal [-I DIR]... [-D NAME[=VALUE]]...\n"
               "       softmetal kernels FILE.metal [-I DIR]... [-D NAME[=VALUE]]...\n"
               "       softmetal lint [-I DIR]... [-D NAME[=VALUE]]... FILE.metal...\n"
               "compile prints `ok NAME` or `fail NAME file:line: message` for every kernel,\n"
               "`fail (file) file:line: message` for errors elsewhere;\n"
               "kernels prints the arguments of those that compile;\n"
               "lint prints `file:line: rule: message` for what Apple's compiler would refuse.\n"
               "exit codes: 0 ok; 1 something fails; 2 usage; 4 output that cannot be written\n",
               stderr);
    return 2;
}

struct request {
    const char *verb = nullptr, *file = nullptr;
    std::vector<const char *> include_dirs, defines;
};

bool read_arguments(int argc, char **argv, request &r)
{
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        bool dir = std::strncmp(a, "-I", 2) == 0, define = std::strncmp(a, "-D", 2) == 0;
        if (dir || define) {
            const char *value = a[2] ? a + 2 : i + 1 < argc ? argv[++i] : nullptr;
            if (!value) {
                return false;
            }
            (dir ? r.include_dirs : r.defines).push_back(value);
        } else if (a[0] == '-' || r.file) {
            return false;
        } else {
            (r.verb ? r.file : r.verb) = a;
        }
    }
    return r.verb && r.file;
}

void print_function(const sm_function &f)
{
    std::printf("%s  %s:%d\n", f.name, f.file, f.line);
    const char *const kinds[] = {"buffer", "threadgroup", "built-in"};
    for (size_t i = 0; i < f.argument_count; i++) {
        const sm_argument &a = f.arguments[i];
        std::printf("    %-11s ", kinds[a.kind]);
        if (a.kind != SM_ARGUMENT_BUILTIN) {
            std::printf("%2u ", a.index);
        } else {
            std::printf("   ");
        }
        std::printf("%s  %s%s\n", a.name, a.type, a.optional ? "  (optional)" : "");
    }
    if (f.threadgroup_bytes > 0) {
        std::printf("    threadgroup variables  %zu bytes\n", f.threadgroup_bytes);
    }
}

int report(const sm_library *library, bool list)
{
    size_t failed = 0, total = library->data->compiled.kernels.size();
    for (const softmetal::kernel_result &k : library->data->compiled.kernels) {
        if (!k.error.empty()) {
            std::printf("fail %s %s\n", k.kernel.name.c_str(), k.error.c_str());
            failed++;
        } else if (list) {
            print_function(*sm_library_find(library, k.kernel.name.c_str()));
        } else {
            std::printf("ok %s\n", k.kernel.name.c_str());
        }
    }
    const char *message;
    size_t errors = 0;
    for (; sm_library_error(library, errors, &message); errors++) {
        std::printf("fail (file) %s\n", message);
    }
    std::printf("%zu of %zu kernels compiled\n", total - failed, total);
    return failed || errors ? 1 : 0;
}

// Of a file that could not be preprocessed or read.
void print_failure(std::string text)
{
    std::vector<softmetal::diagnostic> errors = softmetal::read_diagnostics(text);
    for (const softmetal::diagnostic &d : errors) {
        std::printf("fail (file) %s:%d: %s\n", d.file.c_str(), d.line, d.message.c_str());
    }
    if (errors.empty()) {
        std::printf("fail (file) %s\n", text.c_str());
    }
    std::printf("0 of 0 kernels compiled\n");
}

// A file that is opened must not take the place of a closed standard output, and writing must fail.
void keep_output()
{
    if (fcntl(STDOUT_FILENO, F_GETFD) == -1) {
        int opened = open("/dev/null", O_RDONLY);
        (void)opened;
    }
}

// What could not be written is no success.
int end_output(int status)
{
    errno = 0;
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) {
        return status;
    }
    const char *reason = errno == EBADF ? "is closed"
                         : errno        ? std::strerror(errno)
                                        : "not everything could be written";
    std::fprintf(stderr, "softmetal: standard output: %s\n", reason);
    return status != 0 ? status : 4;
}

int run(int argc, char **argv)
{
    if (argc > 1 && std::strcmp(argv[1], "lint") == 0) {
        return softmetal_lint(argc - 1, argv + 1);
    }
    request r;
    if (!read_arguments(argc, argv, r) ||
        (std::strcmp(r.verb, "compile") != 0 && std::strcmp(r.verb, "kernels") != 0)) {
        return usage();
    }
    struct sm_device_options options = {};
    options.threads = 1;
    struct sm_error error;
    struct sm_device *device;
    if (!sm_device_open(&options, &device, &error)) {
        std::fprintf(stderr, "softmetal: %s\n", error.message);
        return 1;
    }
    struct sm_compile_options compile = {r.include_dirs.data(), r.include_dirs.size(),
                                         r.defines.data(), r.defines.size()};
    struct sm_library *library;
    int status = 1;
    if (sm_library_from_file(device, r.file, &compile, &library, &error)) {
        status = report(library, std::strcmp(r.verb, "kernels") == 0);
        sm_library_free(library);
    } else {
        print_failure(error.message);
    }
    sm_device_close(device);
    return status;
}

} // namespace

int main(int argc, char **argv)
{
    keep_output();
    return end_output(run(argc, argv));
}
