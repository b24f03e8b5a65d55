/* How much memory this process really takes, beside the mapped model: anonymous resident bytes. */
#ifndef TS_BASE_MEMORY_USAGE_H
#define TS_BASE_MEMORY_USAGE_H

#include <stdint.h>

/* Anonymous resident bytes at this moment (Linux: RssAnon of /proc/self/status; macOS: the physical
 * footprint); 0 where the system does not tell. Mapped files do not count, pages that were allocated
 * and never touched do not either. Some 20 us a call. */
uint64_t ts_memory_anonymous(void);

/* Raises *peak to what is in use now. The systems keep no high-water mark of anonymous memory, so
 * callers sample wherever they have just taken some. */
void ts_memory_sample(uint64_t *peak);

#endif
