/* What kernels really read, counted by the software Metal device: these counts depend on no machine. */
#include "tests/support/golden.h"

#include <cjson/cJSON.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(metal_counters, .fini = test_free_all);

static char path[96];

/* Devices opened from here on count into a file of this process. */
static void count_to_file(void)
{
    mkdir("build", 0777);
    mkdir("build/tmp", 0777);
    snprintf(path, sizeof path, "build/tmp/%d-counters.jsonl", (int)getpid());
    setenv("SOFTMETAL_COUNTERS", path, 1);
}

/* The command buffers of the file, in their order, as an array; the caller deletes it. */
static cJSON *command_buffers(void)
{
    enum { LINE = 16 << 20 };
    char *line = test_alloc(LINE);
    cJSON *list = cJSON_CreateArray();
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "%s", path);
    while (fgets(line, LINE, file)) {
        cJSON *object = cJSON_Parse(line);
        cr_assert(object != NULL, "no JSON: %.80s", line);
        const char *type = cJSON_GetStringValue(cJSON_GetObjectItem(object, "type"));
        if (strcmp(type, "command_buffer") == 0) {
            cJSON_AddItemToArray(list, object);
        } else {
            cJSON_Delete(object);
        }
    }
    fclose(file);
    unlink(path);
    return list;
}

static double loaded(const cJSON *range, const char *what)
{
    const cJSON *loads = cJSON_GetObjectItem(range, "loads");
    return loads ? cJSON_GetNumberValue(cJSON_GetObjectItem(loads, what)) : 0;
}

static const char *name_of(const cJSON *range)
{
    return cJSON_GetStringValue(cJSON_GetObjectItem(range, "name"));
}

/* Bytes of a tensor that one token needs. */
static double active_bytes(const struct ts_config *c, const struct ts_gguf_tensor *tensor,
                           const char *name)
{
    double bytes = (double)tensor->bytes;
    if (strstr(name, "_exps.")) {
        return bytes * c->experts_used / c->experts;
    }
    if (strstr(name, "tid2eid") || strcmp(name, "token_embd.weight") == 0) {
        return bytes / c->vocab;
    }
    if (strstr(name, "compressor_ape")) { /* the row of the position's place in its block */
        return bytes / (double)tensor->shape[1];
    }
    return bytes;
}

/* A decode step touches every weight byte of its path, and each once: what threadgroups read, each its
 * distinct bytes, adds up to at most 1.03 times what is there to be read. The position ends no block:
 * the norms of compressed rows are not needed. */
Test(metal_counters, a_decode_step_reads_weights_once)
{
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    const struct ts_config *c = &golden.model->config;
    struct ts_session_options options = {.device = "metal", .context = 128};
    double distinct = 0, by_threadgroup = 0, expected = 0;
    count_to_file();
    struct ts_session *session = test_session_open(golden.model, options);
    test_feed(session, golden.tokens, 96);
    test_feed(session, golden.tokens + 96,
              1); /* 24 blocks are visible, more than the 16 selected */
    ts_session_close(session);
    cJSON *list = command_buffers();
    const cJSON *step = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
    const cJSON *ranges = cJSON_GetObjectItem(step, "ranges"), *range;
    cJSON_ArrayForEach(range, ranges)
    {
        const struct ts_gguf_tensor *tensor =
            ts_gguf_find_tensor(golden.model->gguf, name_of(range));
        double once = loaded(range, "distinct_command_buffer");
        if (!tensor || once == 0) {
            continue;
        }
        double need = active_bytes(c, tensor, name_of(range));
        distinct += once;
        by_threadgroup += loaded(range, "distinct_threadgroup");
        expected += need;
        cr_expect(once == need, "%s: %g bytes of %g that the step needs", name_of(range), once,
                  need);
    }
    cr_log_info("weights: %.0f bytes, read by threadgroups %.0f, ratio %.4f\n", distinct,
                by_threadgroup, by_threadgroup / distinct);
    cr_expect(distinct == expected && distinct > 1e6);
    cr_expect(by_threadgroup <= 1.03 * distinct, "read %.4f times", by_threadgroup / distinct);
    cJSON_Delete(list);
    test_golden_close(&golden);
}
