/* A decode step calls no allocator. With glibc its functions are replaced in this program by ones
 * that count; under the address sanitizer its own hooks count. Elsewhere the steps only run. */
#include "base/thread_sanitizer.h"
#include "tests/support/golden.h"

#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_HOOKS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TEST_HOOKS 1
#endif
#ifndef TEST_HOOKS
#define TEST_HOOKS 0
#endif
/* The thread sanitizer has an allocator of its own, and no hooks. */
#if defined(__GLIBC__) && !TEST_HOOKS && !defined(TS_THREAD_SANITIZER)
#define TEST_REPLACES 1
#else
#define TEST_REPLACES 0
#endif

static atomic_ulong allocations;

#if TEST_HOOKS
/* Declared here because gcc does not come with its header. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t),
                                              void (*)(const volatile void *));

static void count_malloc(const volatile void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
    atomic_fetch_add(&allocations, 1);
}

static void count_free(const volatile void *memory)
{
    atomic_fetch_add(&allocations, memory != NULL);
}
#endif

#if TEST_REPLACES
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

void *malloc(size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    atomic_fetch_add(&allocations, 1);
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : 12;
}

void free(void *memory)
{
    atomic_fetch_add(&allocations, memory != NULL);
    __libc_free(memory);
}
#endif

static void start_counting(void)
{
#if TEST_HOOKS
    cr_assert(__sanitizer_install_malloc_and_free_hooks(count_malloc, count_free) > 0);
#endif
}

TestSuite(allocation, .init = start_counting, .fini = test_free_all);

/* Decodes over the edges of blocks of 4 and 128 rows, and where rows are scored and selected. */
static void check_decode(const char *model, unsigned threads)
{
    enum { PROMPT = 122, STEPS = 12 };
    struct test_golden golden = test_golden_open(model, model);
    struct ts_session_options options = {.context = 160, .threads = threads};
    struct ts_session *session = test_session_open(golden.model, options);
    test_feed(session, golden.tokens, PROMPT);
    test_feed(session, golden.tokens + PROMPT, 1);
    for (uint64_t at = PROMPT + 1; at < PROMPT + STEPS; at++) {
        struct ts_error error = {0};
        unsigned long before = atomic_load(&allocations);
        bool fed = ts_session_feed(session, golden.tokens + at, 1, &error);
        unsigned long after = atomic_load(&allocations);
        cr_assert(fed, "%s", error.message);
        cr_assert(after == before, "%s, %u threads, position %llu: %lu calls", model, threads,
                  (unsigned long long)at, after - before);
    }
    /* it can fail: a snapshot allocates, and so do these */
    unsigned long before = atomic_load(&allocations);
    struct ts_snapshot snapshot = test_save(session);
    ts_snapshot_free(&snapshot);
    cr_assert(atomic_load(&allocations) >= before + 6 || !(TEST_HOOKS || TEST_REPLACES),
              "a snapshot is not counted");
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(allocation, a_decode_step_calls_no_allocator)
{
    check_decode("tiny-q2", 1);
    check_decode("topk-q2", 2);
}

Test(allocation, every_allocator_is_counted)
{
    if (!TEST_HOOKS && !TEST_REPLACES) {
        cr_skip_test("allocations are not counted here");
    }
    void *volatile block;
    unsigned long before = atomic_load(&allocations);
    block = malloc(10);
    block = realloc(block, 2000); /* the sanitizer counts two */
    free(block);
    block = calloc(3, 3);
    free(block);
    block = aligned_alloc(64, 64);
    free(block);
    unsigned long after = atomic_load(&allocations);
    cr_assert(after >= before + 7, "%lu calls", after - before);
}
