#include "tools/mutate/process.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void become(const char *const *arguments, const char *output, double limit)
{
    rlim_t seconds = (rlim_t)limit + 1;
    struct rlimit processor = {seconds, seconds + 5}, core = {0, 0};
    int file = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    setpgid(0, 0);
    setrlimit(RLIMIT_CPU, &processor);
    setrlimit(RLIMIT_CORE, &core);
    if (file >= 0 && dup2(file, 1) == 1 && dup2(file, 2) == 2) {
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        perror(arguments[0]);
    }
    _exit(4);
}

bool mu_process_start(struct mu_process *p, const char *const *arguments, const char *output,
                      double limit, double wall, struct ts_error *error)
{
    *p = (struct mu_process){
        .limit = limit, .wall = wall, .started = ts_clock_ns(), .exit_code = -1};
    fflush(NULL);
    p->id = fork();
    if (p->id == 0) {
        become(arguments, output, limit);
    }
    return p->id > 0 || ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "fork: %s", strerror(errno));
}

void mu_process_kill(struct mu_process *p)
{
    kill(-p->id, SIGKILL);
    kill(p->id, SIGKILL);
    while (waitpid(p->id, NULL, 0) < 0 && errno == EINTR) {
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

bool mu_process_ended(struct mu_process *p)
{
    struct rusage usage;
    int status;
    if (wait4(p->id, &status, WNOHANG, &usage) == p->id) {
        p->seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
        p->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        p->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        p->timed_out = p->signal == SIGXCPU || p->signal == SIGKILL;
        return true;
    }
    if ((double)(ts_clock_ns() - p->started) * 1e-9 > p->wall) {
        mu_process_kill(p);
        p->timed_out = true;
        p->seconds = p->limit;
        return true;
    }
    return false;
}

void mu_process_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    remove(path);
    return 0;
}

void mu_remove_folder(const char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
