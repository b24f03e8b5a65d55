/* Processes of the check. */
#ifndef TS_TOOLS_MUTATE_PROCESS_H
#define TS_TOOLS_MUTATE_PROCESS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mu_process {
    pid_t id;
    double limit;     /* seconds of processors */
    uint64_t started; /* ts_clock_ns */
    /* of one that ended */
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    bool timed_out;
    double seconds; /* of processors, its children's too */
};

/* arguments[0] is the program; ended by NULL. What it prints goes to the file `output`. It may use
 * `limit` seconds of processors, and a hundred times that by the clock. */
bool mu_process_start(struct mu_process *process, const char *const *arguments, const char *output,
                      double limit, struct ts_error *error);
/* Asks, and does not wait. */
bool mu_process_ended(struct mu_process *process);
/* Ends it and what it started. */
void mu_process_kill(struct mu_process *process);
/* Between two questions. */
void mu_process_pause(void);

/* Why a check failed, from what it printed: the kernel and its worst element or its reason, or what the
 * checking mode reported. */
void mu_process_detail(const char *output, char *text, size_t capacity);

/* The smallest share of outputs that a kernel of the check had wrong; 1 where it counted none. */
double mu_process_share(const char *output);

/* With everything in it; no error if it is not there. */
void mu_remove_folder(const char *folder);

#endif
