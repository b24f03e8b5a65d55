/* For the few loops that take most of the time: under the thread sanitizer every element would be a
 * call. Such a loop is left unwatched, and the memory that it shares with other threads is named once
 * before it. The same races are found. Without the sanitizer all of this is nothing. */
#ifndef TS_BASE_THREAD_SANITIZER_H
#define TS_BASE_THREAD_SANITIZER_H

#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define TS_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TS_THREAD_SANITIZER 1
#endif
#endif

#ifdef TS_THREAD_SANITIZER
#define TS_UNWATCHED __attribute__((no_sanitize("thread")))

/* What compilers call; in no header of theirs. */
void __tsan_read_range(void *begin, size_t bytes);
void __tsan_write_range(void *begin, size_t bytes);

static inline void ts_will_read(const void *begin, size_t bytes)
{
    __tsan_read_range((void *)(size_t)begin, bytes);
}

static inline void ts_will_write(void *begin, size_t bytes)
{
    __tsan_write_range(begin, bytes);
}
#else
#define TS_UNWATCHED

static inline void ts_will_read(const void *begin, size_t bytes)
{
    (void)begin;
    (void)bytes;
}

static inline void ts_will_write(void *begin, size_t bytes)
{
    (void)begin;
    (void)bytes;
}
#endif

#endif
