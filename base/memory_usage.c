#include "base/memory_usage.h"

#ifdef __APPLE__

#include <mach/mach.h>

uint64_t ts_memory_anonymous(void)
{
    task_vm_info_data_t info;
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    if (task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count) != KERN_SUCCESS) {
        return 0;
    }
    return info.phys_footprint;
}

#else

#include <stdio.h>

uint64_t ts_memory_anonymous(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) {
        return 0;
    }
    unsigned long long kilobytes = 0;
    char line[128];
    while (fgets(line, sizeof line, status) && sscanf(line, "RssAnon: %llu kB", &kilobytes) != 1) {
    }
    fclose(status);
    return kilobytes * 1024;
}

#endif

void ts_memory_sample(uint64_t *peak)
{
    uint64_t now = ts_memory_anonymous();
    if (now > *peak) {
        *peak = now;
    }
}
