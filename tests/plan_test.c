/* The memory plan against what a run really takes. */
#include "base/thread_sanitizer.h"
#include "engine/device/device.h"
#include "tests/support/program.h"

#include <cjson/cJSON.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_SHADOW 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(TS_THREAD_SANITIZER)
#define TEST_SHADOW 1 /* sanitizers keep several bytes for each that is used */
#endif

static char output[1 << 20];

static double memory_of(const cJSON *record, const char *name)
{
    const cJSON *memory = cJSON_GetObjectItem(record, "memory");
    const cJSON *number = cJSON_GetObjectItem(memory, name);
    cr_assert(cJSON_IsNumber(number), "no memory.%s", name);
    return number->valuedouble;
}

/* Never more than planned; and a plan that says nothing fails too, where the context is used. */
static void expect_planned(const char *device, unsigned context, const char *more)
{
    int code = test_run(output, sizeof output,
                        "touchstone run -m tests/data/tiny-q2.gguf --ids 5 -n %u --ctx %u --temp 0 "
                        "--device %s --json %s 2>/dev/null",
                        context - 1, context, device, more);
    cr_assert(code == 0, "%s, %u tokens: exit %d", device, context, code);
    cJSON *record = cJSON_Parse(output);
    cr_assert(record != NULL);
    double plan = memory_of(record, "plan"), peak = memory_of(record, "peak");
#ifndef TEST_SHADOW
    cr_expect(peak <= plan, "%s, %u tokens %s: %.0f of %.0f bytes", device, context, more, peak,
              plan);
    cr_expect(plan <= 2 * peak + (64 << 20), "%s, %u tokens %s: plan %.0f, peak %.0f", device,
              context, more, plan, peak);
#endif
    cr_expect(peak > 1 << 20 && plan > 1 << 20);
    cJSON_Delete(record);
}

Test(plan, peak_is_never_above_it)
{
    static const unsigned contexts[] = {1, 2, 3, 8, 70};
    for (size_t i = 0; i < sizeof contexts / sizeof contexts[0]; i++) {
        expect_planned("reference", contexts[i], "");
        if (strstr(ts_device_names(), "metal") && contexts[i] < 70) {
            expect_planned("metal", contexts[i], "");
        }
    }
}

/* What a run keeps for its record counts: 100 likeliest tokens of each of 60. */
Test(plan, records_count)
{
    expect_planned("reference", 60, "--top-logprobs 100");
}

/* inspect plans by the same function. */
Test(plan, inspect_says_the_same)
{
    int code = test_run(output, sizeof output,
                        "touchstone inspect tests/data/tiny-q2.gguf --ctx 64 --json");
    cr_assert(code == 0, "%s", output);
    cJSON *record = cJSON_Parse(output);
    const cJSON *plan = cJSON_GetObjectItem(record, "memory_plan");
    static const char *const parts[] = {"kv", "activations", "host", "device_own", "program"};
    double sum = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        sum += cJSON_GetNumberValue(cJSON_GetObjectItem(plan, parts[i]));
    }
    cr_expect(sum > 0 && sum == cJSON_GetNumberValue(cJSON_GetObjectItem(plan, "total")));
    cJSON_Delete(record);
}
