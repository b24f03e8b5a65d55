/* The plan of a sweep, and the folder that it writes to. */
#include "bench/run/folder.h"
#include "bench/run/plan.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Test(bench_plan, plan)
{
    struct ts_plan plan = {.paths = {"a", "b"},
                           .models = 2,
                           .devices = {"d"},
                           .device_count = 1,
                           .prompts = {64, 16, 64, 32},
                           .prompt_count = 4,
                           .gen = 8,
                           .reps = 4,
                           .seed = 7};
    struct ts_error error;
    cr_assert(ts_plan_check(&plan, &error), "%s", error.message);
    cr_expect(plan.prompt_count == 3 && plan.prompts[0] == 16 && plan.prompts[2] == 64, "sorted");
    cr_expect(ts_plan_cells(&plan) == 6 && ts_plan_context(&plan) == 72, "cells and context");
    unsigned even[6], odd[6], later[6], seen = 0;
    ts_plan_round(&plan, 0, even);
    ts_plan_round(&plan, 1, odd);
    for (unsigned i = 0; i < 6; i++) {
        seen |= 1u << even[i];
        cr_expect(odd[i] == even[5 - i], "round 1 is round 0 backwards");
    }
    cr_expect(seen == 63, "every cell once: %x", seen);
    ts_plan_round(&plan, 2, later);
    cr_expect(memcmp(even, later, sizeof even) != 0, "round 2 has an order of its own");
    ts_plan_round(&plan, 0, later);
    cr_expect(memcmp(even, later, sizeof even) == 0, "the seed decides");
    plan.gen = 1;
    cr_expect(!ts_plan_check(&plan, &error) && error.code == TS_ERR_USAGE, "--gen 1");
    plan.gen = 0;
    plan.models = 0;
    cr_expect(!ts_plan_check(&plan, &error) && error.code == TS_ERR_USAGE, "no model");
}

Test(bench_plan, plan_of_devices)
{
    struct ts_plan plan = {.paths = {"a", "b"},
                           .models = 2,
                           .devices = {"reference", "metal", "reference"},
                           .device_count = 3,
                           .prompts = {16, 512},
                           .prompt_count = 2,
                           .reps = 1,
                           .software_prompt = 64};
    struct ts_error error;
    cr_assert(ts_plan_check(&plan, &error), "%s", error.message);
    cr_expect(plan.device_count == 2 && strcmp(plan.devices[1], "metal") == 0, "once each");
    cr_expect(ts_plan_subjects(&plan) == 4 && ts_plan_cells(&plan) == 8);
    cr_expect(ts_plan_subject(&plan, 3) == 1 && ts_plan_prompt(&plan, 3) == 512);
    cr_expect(ts_plan_too_long(&plan, true, 65) && !ts_plan_too_long(&plan, true, 64));
    cr_expect(!ts_plan_too_long(&plan, false, 512), "the limit is a software device's");
    cr_expect(ts_plan_agreement(&plan, true) == 64 && ts_plan_agreement(&plan, false) == 128);
    plan.software_prompt = 0;
    cr_expect(!ts_plan_too_long(&plan, true, 512) && ts_plan_agreement(&plan, true) == 128);
    plan.device_count = 0;
    cr_expect(!ts_plan_check(&plan, &error) && strstr(error.message, "device"), "no device");
}

Test(bench_plan, folder)
{
    char path[128], below[160];
    struct ts_folder folder;
    struct ts_error error;
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/bench-plan-%d/deep/run/", (int)getpid());
    cr_assert(ts_folder_open(&folder, path, "m", "c", &error), "%s", error.message);
    cr_expect(strlen(folder.date) == 16 && folder.date[8] == 'T' && folder.date[15] == 'Z', "%s",
              folder.date);
    cr_expect(ts_folder_append(folder.runs, cJSON_Parse("{\"a\":1}"), &error), "%s", error.message);
    cr_expect(!ts_folder_append(folder.runs, NULL, &error), "no memory for a record");
    cr_expect(ts_folder_close(&folder, &error));
    char text[32] = "";
    snprintf(below, sizeof below, "%sruns.jsonl", path);
    FILE *file = fopen(below, "rb");
    cr_assert(file && fgets(text, sizeof text, file));
    fclose(file);
    cr_expect(strcmp(text, "{\"a\":1}\n") == 0, "%s", text);
    ts_folder_free(&folder);
    cr_expect(!ts_folder_open(&folder, path, "m", "c", &error), "a folder that exists was taken");
    cr_expect(error.code == TS_ERR_ENVIRONMENT && strstr(error.message, "deep/run"), "%s",
              error.message);
    ts_folder_free(&folder);
    snprintf(below, sizeof below, "%sruns.jsonl/below/a/file", path);
    cr_expect(!ts_folder_open(&folder, below, "m", "c", &error), "a folder below a file");
    cr_expect(error.code == TS_ERR_ENVIRONMENT);
    ts_folder_free(&folder);
}
