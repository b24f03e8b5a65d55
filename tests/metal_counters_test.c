/* What kernels really read, counted by the software Metal device: these counts depend on no machine. */
#include "tests/support/golden.h"
#include "tests/support/software.h"

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

/* What a prefill's tokens chose, by layer and expert. */
struct choices {
    const struct ts_config *c;
    uint32_t slots[8][64]; /* [layer][expert] */
};

static bool count_choices(void *context, const struct ts_tap_event *event, struct ts_error *error)
{
    struct choices *choices = context;
    (void)error;
    if (event->tap == TS_TAP_router_ids) {
        const int32_t *ids = ts_slice_contents(event->slice);
        for (uint64_t i = 0; i < event->rows * event->width; i++) {
            choices->slots[event->layer][ids[i]]++;
        }
    }
    return true;
}

/* Sums of a range over all command buffers of the file but the last. */
static double loaded_before(const cJSON *list, const char *name, const char *what)
{
    double sum = 0;
    int count = cJSON_GetArraySize(list) - 1;
    for (int i = 0; i < count; i++) {
        const cJSON *range, *ranges = cJSON_GetObjectItem(cJSON_GetArrayItem(list, i), "ranges");
        cJSON_ArrayForEach(range, ranges)
        {
            sum += strcmp(name_of(range), name) == 0 ? loaded(range, what) : 0;
        }
    }
    return sum;
}

enum { PREFILL = 72, TILE = 32 };

/* A prefill reads an expert once for every 32 of its slots, begun ones included, and every other matrix
 * once for every 32 tokens. */
static void check_prefill(const struct test_golden *golden, const cJSON *list,
                          const struct choices *choices)
{
    const struct ts_config *c = choices->c;
    const char *const experts[] = {"gate", "up", "down"};
    const char *const others[] = {"attn_q_b", "attn_output_a", "attn_output_b", "ffn_gate_shexp"};
    char name[64];
    for (uint32_t layer = 0; layer < c->layers; layer++) {
        for (int m = 0; m < 3; m++) {
            uint64_t tiles = 0;
            snprintf(name, sizeof name, "blk.%u.ffn_%s_exps.weight", layer, experts[m]);
            const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden->model->gguf, name);
            for (uint32_t e = 0; e < c->experts; e++) {
                tiles += (choices->slots[layer][e] + TILE - 1) / TILE;
            }
            double most = (double)tiles * (double)(tensor->bytes / c->experts);
            double got = loaded_before(list, name, "distinct_threadgroup");
            cr_expect(got > 0 && got <= most, "%s: read %g bytes, at most %g", name, got, most);
        }
        for (int m = 0; m < 4; m++) {
            snprintf(name, sizeof name, "blk.%u.%s.weight", layer, others[m]);
            const struct ts_gguf_tensor *tensor = ts_gguf_find_tensor(golden->model->gguf, name);
            double most = (double)((PREFILL + TILE - 1) / TILE) * (double)tensor->bytes;
            double got = loaded_before(list, name, "distinct_threadgroup");
            cr_expect(got > 0 && got <= most, "%s: read %g bytes, at most %g", name, got, most);
        }
    }
}

/* A decode step touches every weight byte of its path, and each once: what threadgroups read, each its
 * distinct bytes, adds up to at most 1.03 times what is there to be read. The position ends no block:
 * the norms of compressed rows are not needed. */
Test(metal_counters, weights_and_rows_are_read_once)
{
    TEST_NEEDS_SOFTWARE("counts what kernels read");
    struct test_golden golden = test_golden_open("topk-q2", "topk-q2");
    const struct ts_config *c = &golden.model->config;
    struct ts_session_options options = {.device = "metal", .context = 128};
    double distinct = 0, by_threadgroup = 0, expected = 0;
    unsigned gathered = 0;
    struct choices choices = {.c = c};
    cr_assert(c->layers <= 8 && c->experts <= 64 && c->index_top_k == 16);
    count_to_file();
    struct ts_session *session = test_session_open(golden.model, options);
    ts_session_set_tap(session, count_choices, &choices);
    test_feed(session, golden.tokens, PREFILL);
    ts_session_set_tap(session, NULL, NULL);
    test_feed(session, golden.tokens + PREFILL, 1); /* 18 blocks are visible, 16 are selected */
    ts_session_close(session);
    cJSON *list = command_buffers();
    check_prefill(&golden, list, &choices);
    const cJSON *step = cJSON_GetArrayItem(list, cJSON_GetArraySize(list) - 1);
    const cJSON *ranges = cJSON_GetObjectItem(step, "ranges"), *range;
    cJSON_ArrayForEach(range, ranges)
    {
        const struct ts_gguf_tensor *tensor =
            ts_gguf_find_tensor(golden.model->gguf, name_of(range));
        double once = loaded(range, "distinct_command_buffer");
        if (strstr(name_of(range), ".compressor.rows")) { /* only the selected rows are gathered */
            uint64_t rows = name_of(range)[4] == '2' ? 0 : 16;
            cr_expect(once == (double)(rows * c->head_width * sizeof(float)), "%s: %g bytes",
                      name_of(range), once);
            gathered++;
        }
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
    cr_expect(gathered >= 2, "%u layers of ratio 4", gathered);
    cr_expect(by_threadgroup <= 1.03 * distinct, "read %.4f times", by_threadgroup / distinct);
    cJSON_Delete(list);
    test_golden_close(&golden);
}
