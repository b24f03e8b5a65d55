/* A pool of threads for loops whose iterations do not depend on each other. Results never depend
 * on the number of threads: each iteration writes only what is its own. */
#ifndef TS_BASE_POOL_H
#define TS_BASE_POOL_H

#include "base/error.h"

#include <stdint.h>

struct ts_pool;

/* What 0 threads stand for: the cores of this machine. */
unsigned ts_pool_cores(void);

/* Work on items [begin, end). */
typedef void ts_pool_fn(void *context, uint64_t begin, uint64_t end);

/* threads 0 means as many as the machine has cores. Returns NULL with *error on failure.
 * The caller closes it. */
struct ts_pool *ts_pool_open(unsigned threads, struct ts_error *error);
void ts_pool_close(struct ts_pool *pool); /* NULL is allowed */
unsigned ts_pool_threads(const struct ts_pool *pool);

/* Calls fn on ranges that together cover [0, count), each item once, and returns when all are
 * done. `grain` is the least number of items worth handing to a thread. Allocates nothing.
 * pool NULL runs everything on the calling thread. Not reentrant. */
void ts_pool_run(struct ts_pool *pool, uint64_t count, uint64_t grain, ts_pool_fn *fn,
                 void *context);

#endif
