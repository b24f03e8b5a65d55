#include "tools/mutate/process.h"

#include "base/clock.h"

#include <cjson/cJSON.h>
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
                      double limit, struct ts_error *error)
{
    *p = (struct mu_process){.limit = limit, .started = ts_clock_ns(), .exit_code = -1};
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
    if ((double)(ts_clock_ns() - p->started) * 1e-9 > 100 * p->limit) {
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

/* ---- output ------------------------------------------------------------------------------------ */

static bool take_result(const char *line, char *text, size_t capacity)
{
    cJSON *object = cJSON_Parse(line);
    const char *verdict = cJSON_GetStringValue(cJSON_GetObjectItem(object, "verdict"));
    const char *kernel = cJSON_GetStringValue(cJSON_GetObjectItem(object, "kernel"));
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItem(object, "reason"));
    const char *worst = cJSON_GetStringValue(cJSON_GetObjectItem(object, "worst"));
    bool failed = verdict && kernel && reason && worst && strcmp(verdict, "FAIL") == 0;
    if (failed) {
        snprintf(text, capacity, "%s: %s", kernel, reason[0] ? reason : worst);
    }
    cJSON_Delete(object);
    return failed;
}

void mu_process_detail(const char *output, char *text, size_t capacity)
{
    char line[8192];
    FILE *file = fopen(output, "r");
    bool found = false;
    snprintf(text, capacity, "it said nothing");
    while (file && !found && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '{') {
            found = take_result(line, text, capacity);
        } else if (strncmp(line, "softmetal: ", 11) == 0) {
            snprintf(text, capacity, "%s", line + 11);
            found = true;
        } else if (line[0]) {
            snprintf(text, capacity, "%s", line); /* unless something better follows */
        }
    }
    if (file) {
        fclose(file);
    }
}

static double share_of(const char *line)
{
    cJSON *object = cJSON_Parse(line);
    double wrong = cJSON_GetNumberValue(cJSON_GetObjectItem(object, "wrong"));
    double compared = cJSON_GetNumberValue(cJSON_GetObjectItem(object, "compared"));
    cJSON_Delete(object);
    return wrong > 0 && compared > 0 ? wrong / compared : 1;
}

double mu_process_share(const char *output)
{
    char line[8192];
    double share = 1;
    FILE *file = fopen(output, "r");
    while (file && fgets(line, sizeof line, file)) {
        double kernel = line[0] == '{' ? share_of(line) : 1;
        share = kernel < share ? kernel : share;
    }
    if (file) {
        fclose(file);
    }
    return share;
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
