/* Mutants in several processes at a time, each in a slot with a folder of its own. */
#ifndef TS_TOOLS_MUTATE_POOL_H
#define TS_TOOLS_MUTATE_POOL_H

#include "tools/mutate/process.h"

struct mu_slot {
    size_t item; /* of the list that runs */
    bool busy;
    struct mu_process process;
    char folder[600], output[600];
};

struct mu_pool {
    uint64_t jobs;
    struct mu_slot *slots;
    void *context;
    /* Starts the slot's item. It may clear `busy` instead: nothing to run. */
    bool (*start)(void *context, struct mu_slot *slot, struct ts_error *error);
    /* Its process ended. Starts another one, or clears `busy`. */
    bool (*finish)(void *context, struct mu_slot *slot, struct ts_error *error);
};

/* Slots with folders DIR/0, DIR/1 ... */
bool mu_pool_open(struct mu_pool *pool, const char *folder, struct ts_error *error);
/* Runs items 0 to count - 1. An error or an interrupt ends those that run. */
bool mu_pool_run(struct mu_pool *pool, size_t count, struct ts_error *error);
void mu_pool_close(struct mu_pool *pool);

#endif
