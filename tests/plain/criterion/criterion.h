/* The part of Criterion that our tests use, for where Criterion itself cannot run: under the thread
 * sanitizer its processes find no room for the memory they share. Tests run side by side, each
 * in a process of its own, as they do there. */
#ifndef TS_TESTS_PLAIN_CRITERION_H
#define TS_TESTS_PLAIN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct plain_options {
    int unused;
    double timeout; /* seconds; 0: none */
    void (*init)(void);
    void (*fini)(void);
};

struct plain_test {
    const char *suite, *name;
    void (*run)(void); /* NULL: options of a suite */
    struct plain_options options;
    struct plain_test *next;
};

void plain_add(struct plain_test *test);
void plain_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void plain_skip(const char *format, ...);
/* fatal: does not return. A format of NULL: there is no message. */
void plain_fail(bool fatal, const char *file, int line, const char *text, const char *format, ...);

#define PLAIN_ADD(suite_, name_, function, ...)                                                    \
    __attribute__((constructor)) static void suite_##_##name_##_add(void)                          \
    {                                                                                              \
        static struct plain_test test = {.suite = #suite_,                                         \
                                         .name = #name_,                                           \
                                         .run = function,                                          \
                                         .options = {.unused = 0, __VA_ARGS__}};                   \
        plain_add(&test);                                                                          \
    }
#define Test(suite_, name_, ...)                                                                   \
    static void suite_##_##name_##_run(void);                                                      \
    PLAIN_ADD(suite_, name_, suite_##_##name_##_run, __VA_ARGS__)                                  \
    static void suite_##_##name_##_run(void)
#define TestSuite(suite_, ...)                                                                     \
    PLAIN_ADD(suite_, whole_suite, NULL, __VA_ARGS__)                                              \
    struct plain_test /* takes the semicolon */

#define PLAIN_FIRST_(first, ...) first
#define PLAIN_FIRST(...) PLAIN_FIRST_(__VA_ARGS__, NULL)
#define PLAIN_REST_(first, ...) __VA_ARGS__
#define PLAIN_REST(...) PLAIN_REST_(__VA_ARGS__, NULL)

/* The behind of `...` is a format and its arguments, or nothing. */
#define PLAIN_CHECK(fatal, condition, text, ...)                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            plain_fail(fatal, __FILE__, __LINE__, text, __VA_ARGS__);                              \
        }                                                                                          \
    } while (0)
#define PLAIN_TRUE(fatal, ...)                                                                     \
    PLAIN_CHECK(fatal, PLAIN_FIRST(__VA_ARGS__), #__VA_ARGS__, PLAIN_REST(__VA_ARGS__))
#define PLAIN_COMPARE(fatal, a, operator, ...)                                                     \
    PLAIN_CHECK(fatal, (a) operator(PLAIN_FIRST(__VA_ARGS__)), #a " " #operator" " #__VA_ARGS__,   \
                PLAIN_REST(__VA_ARGS__))
#define PLAIN_TEXTS(fatal, a, ...)                                                                 \
    PLAIN_CHECK(fatal, strcmp(a, PLAIN_FIRST(__VA_ARGS__)) == 0, #a " is " #__VA_ARGS__,           \
                PLAIN_REST(__VA_ARGS__))
#define PLAIN_NEAR(fatal, a, b, ...)                                                               \
    PLAIN_CHECK(fatal, fabs((double)(a) - (double)(b)) <= (double)(PLAIN_FIRST(__VA_ARGS__)),      \
                #a " near " #b, PLAIN_REST(__VA_ARGS__))

#define cr_assert(...) PLAIN_TRUE(true, __VA_ARGS__)
#define cr_expect(...) PLAIN_TRUE(false, __VA_ARGS__)
#define cr_assert_not(...) PLAIN_TRUE(true, !__VA_ARGS__)
#define cr_expect_not(...) PLAIN_TRUE(false, !__VA_ARGS__)
#define cr_assert_null(...) PLAIN_TRUE(true, !__VA_ARGS__)
#define cr_expect_null(...) PLAIN_TRUE(false, !__VA_ARGS__)
#define cr_assert_not_null(...) PLAIN_TRUE(true, __VA_ARGS__)
#define cr_expect_not_null(...) PLAIN_TRUE(false, __VA_ARGS__)
#define cr_assert_eq(a, ...) PLAIN_COMPARE(true, a, ==, __VA_ARGS__)
#define cr_expect_eq(a, ...) PLAIN_COMPARE(false, a, ==, __VA_ARGS__)
#define cr_assert_neq(a, ...) PLAIN_COMPARE(true, a, !=, __VA_ARGS__)
#define cr_expect_neq(a, ...) PLAIN_COMPARE(false, a, !=, __VA_ARGS__)
#define cr_assert_lt(a, ...) PLAIN_COMPARE(true, a, <, __VA_ARGS__)
#define cr_expect_lt(a, ...) PLAIN_COMPARE(false, a, <, __VA_ARGS__)
#define cr_assert_leq(a, ...) PLAIN_COMPARE(true, a, <=, __VA_ARGS__)
#define cr_expect_leq(a, ...) PLAIN_COMPARE(false, a, <=, __VA_ARGS__)
#define cr_assert_gt(a, ...) PLAIN_COMPARE(true, a, >, __VA_ARGS__)
#define cr_expect_gt(a, ...) PLAIN_COMPARE(false, a, >, __VA_ARGS__)
#define cr_assert_geq(a, ...) PLAIN_COMPARE(true, a, >=, __VA_ARGS__)
#define cr_expect_geq(a, ...) PLAIN_COMPARE(false, a, >=, __VA_ARGS__)
#define cr_assert_str_eq(a, ...) PLAIN_TEXTS(true, a, __VA_ARGS__)
#define cr_expect_str_eq(a, ...) PLAIN_TEXTS(false, a, __VA_ARGS__)
#define cr_assert_float_eq(a, b, ...) PLAIN_NEAR(true, a, b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, ...) PLAIN_NEAR(false, a, b, __VA_ARGS__)
#define cr_assert_fail(...)                                                                        \
    plain_fail(true, __FILE__, __LINE__, "this not to be reached", __VA_ARGS__)
#define cr_skip_test(...) plain_skip(__VA_ARGS__)
#define cr_log_info(...) plain_log(__VA_ARGS__)
#define cr_log_warn(...) plain_log(__VA_ARGS__)

#endif
