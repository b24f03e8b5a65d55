/* Command buffers, sums over kernels, and the file that they are written to. */
#include "counters.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Below the build folder, which exists. */
static const char *file_named(const char *name)
{
    static char path[512];
    const char *build = getenv("BUILD");
    snprintf(path, sizeof path, "%s/tmp", build ? build : "build");
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/tmp/%s.%d.jsonl", build ? build : "build", name, (int)getpid());
    return path;
}

/* The lines, each of which must be an object, as an array. */
static cJSON *lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s", path);
    cJSON *lines = cJSON_CreateArray();
    static char line[65536];
    while (fgets(line, sizeof line, file)) {
        const char *end = NULL;
        cJSON *object = cJSON_ParseWithOpts(line, &end, false);
        cr_assert(cJSON_IsObject(object) && end && strcmp(end, "\n") == 0, "no JSON: %s", line);
        cJSON_AddItemToArray(lines, object);
    }
    fclose(file);
    return lines;
}

/* The number at a path of names and, for arrays, positions. */
static double number_at(const cJSON *at, const char *path)
{
    char words[128];
    snprintf(words, sizeof words, "%s", path);
    for (char *word = strtok(words, "/"); word; word = strtok(NULL, "/")) {
        at = cJSON_IsArray(at) ? cJSON_GetArrayItem(at, atoi(word))
                               : cJSON_GetObjectItemCaseSensitive(at, word);
    }
    cr_assert(cJSON_IsNumber(at), "no number at %s", path);
    return at->valuedouble;
}

static bool text_is(const cJSON *object, const char *key, const char *wanted)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(text) && strcmp(text->valuestring, wanted) == 0;
}

/* Two command buffers at once: each counts for itself what it touches first. */
Test(softmetal_counters_file, command_buffers)
{
    struct counting c = counting_open(SM_MODE_FAST, NULL);
    struct sm_tally *one = sm_tally_begin(c.device, "one"), *two = sm_tally_begin(c.device, "two");
    counting_run(&c, one, "copy", 64, 4);
    counting_run(&c, two, "copy", 64, 4);
    counting_run(&c, one, "copy", 64, 8);
    sm_tally_copy(one, 100);
    sm_tally_copy(one, 28);
    sm_tally_fill(one, 64);
    const struct sm_counters *all = sm_tally_counters(one);
    const struct sm_traffic both = {3072, 3072, 3072, 2048, 24, 24};
    const struct sm_traffic second = {2048, 2048, 2048, 1024, 16, 16};
    expect_traffic(&all->loads, &both, "one");
    expect_traffic(&sm_tally_launch(one, 1)->loads, &second, "second launch of one");
    cr_expect(!sm_tally_launch(one, 2) && all->launches == 2 && all->threadgroups == 12);
    cr_expect(all->copies == 2 && all->copied_bytes == 128);
    cr_expect(all->fills == 1 && all->filled_bytes == 64);
    cr_expect(strcmp(all->name, "one") == 0);
    cr_expect(sm_tally_counters(two)->loads.distinct_command_buffer == 1024);
    cr_expect(sm_tally_counters(two)->copies == 0);
    const struct sm_counters *kernel = sm_kernel_counters(c.device, 0);
    const struct sm_traffic sum = {4096, 4096, 4096, 3072, 32, 32};
    cr_assert(kernel && strcmp(kernel->name, "copy") == 0 && kernel->launches == 3);
    expect_traffic(&kernel->loads, &sum, "kernel");
    expect_traffic(&counted_in(kernel, "", 0)->loads, &sum, "argument of the kernel");
    cr_expect(!sm_kernel_counters(c.device, 1));
    sm_tally_end(one, true, NULL);
    sm_tally_end(two, true, NULL);
    counting_close(&c);
}

static void check_command_buffer(const cJSON *line)
{
    cr_expect(text_is(line, "type", "command_buffer"));
    cr_expect(text_is(line, "label", "a \"b\"\\\n\x01 \xc3\xa9\xef\xbf\xbd"), "label: %s",
              cJSON_Print(line));
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(line, "completed")));
    cr_expect(number_at(line, "sequence") == 1 && number_at(line, "launches") == 2);
    cr_expect(number_at(line, "copies") == 1 && number_at(line, "copied_bytes") == 12);
    cr_expect(number_at(line, "loads/bytes") == 2048);
    cr_expect(number_at(line, "loads/distinct_command_buffer") == 1024);
    cr_expect(number_at(line, "ranges/0/bytes") == 512);
    cr_expect(number_at(line, "ranges/0/loads/distinct_threadgroup") == 1024);
    cr_expect(number_at(line, "ranges/0/loads/distinct_command_buffer") == 512);
    cr_expect(number_at(line, "dispatches/1/ranges/0/loads/distinct_command_buffer") == 0);
    cr_expect(number_at(line, "dispatches/1/buffers/1/index") == 1);
    cr_expect(number_at(line, "dispatches/1/buffers/1/stores/lines") == 8);
}

Test(softmetal_counters_file, lines)
{
    const char *path = file_named("counters");
    put(path, "of an earlier run\n");
    struct counting c = counting_open(SM_MODE_FAST, path);
    sm_name_range(c.device, c.x, c.x, 512, "weights/0");
    struct sm_tally *tally = sm_tally_begin(c.device, "a \"b\"\\\n\x01 \xc3\xa9\xff");
    counting_run(&c, tally, "copy", 64, 4);
    counting_run(&c, tally, "copy", 64, 4);
    sm_tally_copy(tally, 12);
    struct sm_error error;
    cr_assert(sm_tally_end(tally, true, &error), "%s", error.message);
    cr_assert(sm_counters_write(c.device, &error), "%s", error.message);
    counting_run(&c, NULL, "shifted", 64, 4); /* a command buffer of its own */
    counting_close(&c);

    cJSON *lines = lines_of(path);
    cr_assert(cJSON_GetArraySize(lines) == 5, "%d lines", cJSON_GetArraySize(lines));
    check_command_buffer(cJSON_GetArrayItem(lines, 0));
    const cJSON *copy = cJSON_GetArrayItem(lines, 1), *own = cJSON_GetArrayItem(lines, 2);
    cr_expect(text_is(copy, "type", "kernel") && text_is(copy, "kernel", "copy"));
    cr_expect(number_at(copy, "launches") == 2 && number_at(copy, "stores/accesses") == 16);
    cr_expect(text_is(own, "label", "") && number_at(own, "sequence") == 2);
    cr_expect(text_is(cJSON_GetArrayItem(lines, 3), "kernel", "copy"));
    cr_expect(text_is(cJSON_GetArrayItem(lines, 4), "kernel", "shifted"));
    cJSON_Delete(lines);
    unlink(path);
}

/* A device that nobody closes, chosen by the environment, in both modes. */
Test(softmetal_counters_file, exit_of_the_process)
{
    for (int check = 0; check < 2; check++) {
        const char *path = file_named("counters-exit");
        setenv("SOFTMETAL_COUNTERS", path, 1);
        setenv("SOFTMETAL_MODE", check ? "check" : "fast", 1);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct counting c = counting_open(SM_MODE_DEFAULT, NULL);
            /* A divergence: in checking mode the process also fails, and still writes. */
            counting_run(&c, NULL, "apart", 32, 1);
            exit(0);
        }
        int status = -1;
        cr_assert(waitpid(child, &status, 0) == child);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == (check ? SM_CHECK_STATUS : 0),
                  "check %d: status %d", check, status);
        cJSON *lines = lines_of(path);
        cr_assert(cJSON_GetArraySize(lines) == 2, "%d lines", cJSON_GetArraySize(lines));
        cr_expect(text_is(cJSON_GetArrayItem(lines, 1), "kernel", "apart"));
        cJSON_Delete(lines);
        unlink(path);
    }
}

Test(softmetal_counters_file, file_that_cannot_be_written)
{
    struct sm_device *device = NULL;
    struct sm_error error = {.message = ""};
    const struct sm_device_options options = {.counters = "build/no/such/folder/counters.jsonl"};
    cr_assert(!sm_device_open(&options, &device, &error));
    cr_expect(strstr(error.message, "build/no/such/folder/counters.jsonl"), "%s", error.message);
    cr_expect(strstr(error.message, "No such file"), "%s", error.message);

    /* Full, which only a write finds. */
    struct counting c = counting_open(SM_MODE_FAST, "/dev/full");
    struct sm_tally *tally = sm_tally_begin(c.device, NULL);
    cr_expect(!sm_tally_end(tally, true, &error));
    cr_expect(strstr(error.message, "/dev/full"), "%s", error.message);
    counting_close(&c);
}

/* Nothing is counted, and nothing breaks, where nobody asked. */
Test(softmetal_counters_file, no_counters)
{
    struct sm_device *device = open_device();
    sm_name_range(device, device, device, 4, "x");
    cr_expect(!sm_tally_begin(device, "x") && !sm_kernel_counters(device, 0));
    sm_tally_copy(NULL, 4);
    cr_expect(!sm_tally_counters(NULL) && !sm_tally_launch(NULL, 0));
    cr_expect(sm_tally_end(NULL, true, NULL) && sm_counters_write(device, NULL));
    sm_device_close(device);
}
