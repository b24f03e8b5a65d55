/* Processes with a deadline: checks, compilers, tests. */
#ifndef TS_TOOLS_MUTATE_PROCESS_H
#define TS_TOOLS_MUTATE_PROCESS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mu_process {
    pid_t id;
    double limit;     /* seconds of processors */
    double wall;      /* seconds by the clock */
    uint64_t started; /* ts_clock_ns */
    /* of one that ended */
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    bool timed_out;
    double seconds; /* of processors, its children's too */
};

/* arguments[0] is the program; ended by NULL. What it prints goes to the file `output`. It may use
 * `limit` seconds of processors (as may each process that it starts), and `wall` by the clock. */
bool mu_process_start(struct mu_process *process, const char *const *arguments, const char *output,
                      double limit, double wall, struct ts_error *error);
/* Asks, and does not wait. */
bool mu_process_ended(struct mu_process *process);
/* Ends it and what it started. */
void mu_process_kill(struct mu_process *process);
/* Between two questions. */
void mu_process_pause(void);

/* With everything in it; no error if it is not there. */
void mu_remove_folder(const char *folder);

#endif
