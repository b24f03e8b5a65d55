/* Tests that need the software Metal device: it fails on request, counts what kernels read, and tells of
 * races. On Apple's Metal they are skipped, with the reason. */
#ifndef TS_TESTS_SUPPORT_SOFTWARE_H
#define TS_TESTS_SUPPORT_SOFTWARE_H

#include <criterion/criterion.h>
#include <stdbool.h>

/* Not asked of a device: the software one reads its settings when the first is opened, and these tests make
 * settings. */
static inline bool test_device_is_software(void)
{
#ifdef __APPLE__
    return false;
#else
    return true;
#endif
}

/* First in a test. */
#define TEST_NEEDS_SOFTWARE(what)                                                                  \
    do {                                                                                           \
        if (!test_device_is_software()) {                                                          \
            cr_skip_test("only the software Metal device " what);                                  \
        }                                                                                          \
    } while (0)

#endif
