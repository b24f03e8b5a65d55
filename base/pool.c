#include "base/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct ts_pool {
    pthread_mutex_t lock;
    pthread_cond_t start;
    pthread_cond_t finish;
    pthread_t *threads; /* workers; the caller of ts_pool_run works too */
    unsigned workers;
    unsigned busy; /* workers that have not finished this generation */
    uint64_t generation;
    bool closing;
    ts_pool_fn *fn;
    void *context;
    uint64_t count, step, next;
};

/* Takes the next range under the lock; false when nothing is left. */
static bool take(struct ts_pool *pool, uint64_t *begin, uint64_t *end)
{
    bool found = false;
    pthread_mutex_lock(&pool->lock);
    if (pool->next < pool->count) {
        *begin = pool->next;
        *end = pool->count - *begin < pool->step ? pool->count : *begin + pool->step;
        pool->next = *end;
        found = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static void drain(struct ts_pool *pool)
{
    uint64_t begin, end;
    while (take(pool, &begin, &end)) {
        pool->fn(pool->context, begin, end);
    }
}

static void *worker(void *argument)
{
    struct ts_pool *pool = argument;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->generation == seen && !pool->closing) {
            pthread_cond_wait(&pool->start, &pool->lock);
        }
        if (pool->closing) {
            break;
        }
        seen = pool->generation;
        pthread_mutex_unlock(&pool->lock);
        drain(pool);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0) {
            pthread_cond_signal(&pool->finish);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

unsigned ts_pool_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 && cores < 1024 ? (unsigned)cores : 1;
}

struct ts_pool *ts_pool_open(unsigned threads, struct ts_error *error)
{
    threads = threads ? threads : ts_pool_cores();
    struct ts_pool *pool = calloc(1, sizeof *pool);
    pthread_t *handles = calloc(threads, sizeof *handles);
    if (!pool || !handles) {
        free(pool);
        free(handles);
        ts_fail_memory(error, "a thread pool", threads * sizeof *handles);
        return NULL;
    }
    pool->threads = handles;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->finish, NULL);
    for (unsigned i = 1; i < threads; i++) {
        if (pthread_create(&pool->threads[pool->workers], NULL, worker, pool) != 0) {
            ts_pool_close(pool);
            ts_fail(error, TS_ERR_ENVIRONMENT, "raise the limit on processes (ulimit -u)",
                    "cannot start thread %u of %u", i + 1, threads);
            return NULL;
        }
        pool->workers++;
    }
    return pool;
}

void ts_pool_close(struct ts_pool *pool)
{
    if (!pool) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->workers; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->finish);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->lock);
    free(pool->threads);
    free(pool);
}

unsigned ts_pool_threads(const struct ts_pool *pool)
{
    return pool ? pool->workers + 1 : 1;
}

void ts_pool_run(struct ts_pool *pool, uint64_t count, uint64_t grain, ts_pool_fn *fn,
                 void *context)
{
    if (count == 0) {
        return;
    }
    grain = grain ? grain : 1;
    if (!pool || pool->workers == 0 || count <= grain) {
        fn(context, 0, count);
        return;
    }
    uint64_t shares = 4ull * (pool->workers + 1); /* a few ranges a thread evens out slow ones */
    uint64_t step = count / shares + (count % shares != 0);
    pthread_mutex_lock(&pool->lock);
    pool->fn = fn;
    pool->context = context;
    pool->count = count;
    pool->step = step > grain ? step : grain;
    pool->next = 0;
    pool->busy = pool->workers;
    pool->generation++;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->lock);
    drain(pool);
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0) {
        pthread_cond_wait(&pool->finish, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}
