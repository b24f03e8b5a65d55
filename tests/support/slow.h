/* Seconds in tests are for a build that nothing slows down. */
#ifndef TS_TESTS_SUPPORT_SLOW_H
#define TS_TESTS_SUPPORT_SLOW_H

#include "base/thread_sanitizer.h"

#ifdef TS_THREAD_SANITIZER
enum { TEST_SLOWNESS = 10 }; /* seconds for one; most takes 5 to 15 times as long */
#else
enum { TEST_SLOWNESS = 1 };
#endif

#endif
