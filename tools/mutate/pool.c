#include "tools/mutate/pool.h"

#include "base/interrupt.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool mu_pool_open(struct mu_pool *p, const char *folder, struct ts_error *error)
{
    p->slots = calloc(p->jobs, sizeof *p->slots);
    if (!p->slots) {
        return ts_fail_memory(error, "slots", p->jobs * sizeof *p->slots);
    }
    mkdir(folder, 0777);
    for (size_t i = 0; i < p->jobs; i++) {
        snprintf(p->slots[i].folder, sizeof p->slots[i].folder, "%s/%zu", folder, i);
        snprintf(p->slots[i].output, sizeof p->slots[i].output, "%s/%zu.out", folder, i);
        mkdir(p->slots[i].folder, 0777);
    }
    return true;
}

static bool start(struct mu_pool *p, struct mu_slot *slot, size_t item, struct ts_error *error)
{
    slot->item = item;
    slot->busy = true;
    if (!p->start(p->context, slot, error)) {
        slot->busy = false;
        return false;
    }
    return true;
}

static bool is_busy(const struct mu_pool *p)
{
    for (size_t i = 0; i < p->jobs; i++) {
        if (p->slots[i].busy) {
            return true;
        }
    }
    return false;
}

bool mu_pool_run(struct mu_pool *p, size_t count, struct ts_error *error)
{
    size_t next = 0;
    bool ok = true;
    for (size_t i = 0; ok && (next < count || is_busy(p));) {
        struct mu_slot *slot = &p->slots[i];
        i = (i + 1) % p->jobs;
        if (ts_interrupted()) {
            ok = ts_fail(error, TS_ERR_INTERRUPTED, NULL, "interrupted");
        } else if (!slot->busy && next < count) {
            ok = start(p, slot, next++, error);
        } else if (slot->busy && mu_process_ended(&slot->process)) {
            ok = p->finish(p->context, slot, error);
        } else if (i == 0) {
            mu_process_pause();
        }
    }
    for (size_t i = 0; i < p->jobs; i++) {
        if (p->slots[i].busy) {
            mu_process_kill(&p->slots[i].process);
            p->slots[i].busy = false;
        }
    }
    return ok;
}

void mu_pool_close(struct mu_pool *p)
{
    free(p->slots);
}
