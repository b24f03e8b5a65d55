/* What the machine and its system are, and what state they are in. What cannot be told is null. */
#ifndef TS_BENCH_RUN_MACHINE_H
#define TS_BENCH_RUN_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

/* Fill objects; they do not change while the machine is up. */
void ts_machine_describe(struct cJSON *machine); /* model, chip, arch, cores ..., memory_bytes */
void ts_machine_system(struct cJSON *os);        /* name, version, release, build */
void ts_machine_metal(struct cJSON *metal);      /* support, sdk, wired_limit_mb, display */

/* Fills what changes: power, low_power, governor, thermal, load, memory_free_bytes. */
void ts_machine_state(struct cJSON *state);

/* The load average of the last minute; NaN where the system has none. */
double ts_machine_load(void);

/* `text` in small letters and digits with single dashes between, for a folder's name: "amd-epyc". */
void ts_machine_slug(const char *text, char *slug, size_t size);

/* The value in a text of "key : value" lines, such as /proc/cpuinfo and system_profiler give, of the
 * first line that begins with `key` (blanks before it do not count). Separators are ':', '=' and
 * blanks; quotes around the value are taken off. False if there is none. */
bool ts_machine_value(const char *text, const char *key, char *value, size_t size);

#endif
