/* A decode step calls no allocator. The C library's own are replaced in this program by ones that
 * count; where that is not possible the tests are skipped. */
#include "tests/support/golden.h"

#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define TEST_SANITIZED
#endif
#endif

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(TEST_SANITIZED)
#define TEST_COUNTS 1
#else
#define TEST_COUNTS 0
#endif

static atomic_ulong allocations;

#if TEST_COUNTS
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

TestSuite(allocation, .fini = test_free_all);

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
    cr_assert(atomic_load(&allocations) >= before + 6, "a snapshot is not counted");
    ts_session_close(session);
    test_golden_close(&golden);
}

Test(allocation, a_decode_step_calls_no_allocator)
{
    if (!TEST_COUNTS) {
        cr_skip_test("needs glibc's allocator");
    }
    check_decode("tiny-q2", 1);
    check_decode("topk-q2", 2);
}

Test(allocation, every_allocator_is_counted)
{
    if (!TEST_COUNTS) {
        cr_skip_test("needs glibc's allocator");
    }
    void *volatile block;
    unsigned long before = atomic_load(&allocations);
    block = malloc(10);
    block = realloc(block, 2000);
    free(block);
    block = calloc(3, 3);
    free(block);
    block = aligned_alloc(64, 64);
    free(block);
    cr_assert(atomic_load(&allocations) == before + 7, "%lu calls",
              atomic_load(&allocations) - before);
}
