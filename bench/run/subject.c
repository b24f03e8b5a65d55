#include "bench/run/subject.h"

#include "base/rng.h"
#include "engine/device/device.h"
#include "engine/model/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NORMAL_TOKEN = 1 }; /* tokenizer.ggml.token_type */

/* devices: subjects of each model, which share its label. */
static void make_label(struct ts_subject *subjects, unsigned index, unsigned devices)
{
    struct ts_subject *s = &subjects[index];
    const char *slash = strrchr(s->path, '/');
    const char *name = slash ? slash + 1 : s->path;
    size_t length = strlen(name);
    if (length > 5 && strcmp(name + length - 5, ".gguf") == 0) {
        length -= 5;
    }
    int shown = length < TS_LABEL - 16 ? (int)length : TS_LABEL - 16;
    snprintf(s->label, sizeof s->label, "%.*s", shown, name);
    for (unsigned i = 0, number = 2; i < index;) {
        bool taken = strcmp(subjects[i].label, s->label) == 0;
        if (taken) {
            snprintf(s->label, sizeof s->label, "%.*s-%u", shown, name, number++);
        }
        i = taken ? 0 : i + devices; /* a new label is checked against all again */
    }
}

static bool contains(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; *text; text++) {
        if (strncasecmp(text, word, length) == 0) {
            return true;
        }
    }
    return false;
}

static void describe(struct ts_subject *s)
{
    const struct ts_gguf *gguf = s->model->gguf;
    struct ts_text name;
    bool synthetic = false;
    if (ts_gguf_get_text(gguf, "general.name", &name, NULL)) {
        int length = name.length < TS_LABEL - 1 ? (int)name.length : TS_LABEL - 1;
        snprintf(s->name, sizeof s->name, "%.*s", length, name.data);
    }
    ts_gguf_get_bool(gguf, "touchstone.synthetic", &synthetic, NULL);
    s->synthetic = synthetic || contains(s->name, "synthetic") || contains(s->name, "random");
    s->quant = ts_recipe_name(ts_recipe_of(s->model));
    s->hashed = ts_hash_model(gguf, s->hash);
}

/* Ids of ordinary tokens, or all ids where the file does not tell. Returns their number. */
static uint32_t ordinary_tokens(const struct ts_model *model, int32_t *ids)
{
    const struct ts_gguf_key *types = ts_gguf_find_key(model->gguf, "tokenizer.ggml.token_type");
    uint32_t vocab = model->config.vocab, count = 0;
    for (uint32_t id = 0; types && id < vocab; id++) {
        uint64_t type;
        if (ts_gguf_array_u64(types, id, &type) && type == NORMAL_TOKEN) {
            ids[count++] = (int32_t)id;
        }
    }
    if (count == 0) {
        for (uint32_t id = 0; id < vocab; id++) {
            ids[count++] = (int32_t)id;
        }
    }
    return count;
}

static bool make_prompt(struct ts_subject *s, const struct ts_plan *plan, struct ts_error *error)
{
    s->prompt_count = plan->prompts[plan->prompt_count - 1];
    s->prompt = calloc(s->prompt_count, sizeof *s->prompt);
    int32_t *ids = calloc(s->model->config.vocab, sizeof *ids);
    if (!s->prompt || !ids) {
        free(ids);
        return ts_fail_memory(error, "a prompt", s->prompt_count * sizeof *s->prompt);
    }
    struct ts_rng rng;
    ts_rng_seed(&rng, plan->seed);
    uint32_t count = ordinary_tokens(s->model, ids);
    for (uint64_t i = 0; i < s->prompt_count; i++) {
        s->prompt[i] = ids[ts_rng_below(&rng, count)];
    }
    free(ids);
    ts_hash_bytes(s->prompt, s->prompt_count * sizeof *s->prompt, s->prompt_hash);
    return true;
}

/* What is asked of the file alone, once for all devices. */
static bool open_model(struct ts_subject *subjects, unsigned index, const struct ts_plan *plan,
                       struct ts_error *error)
{
    struct ts_subject *s = &subjects[index];
    unsigned place = index % plan->device_count;
    *s = (struct ts_subject){.path = plan->paths[index / plan->device_count], .provenance = ""};
    if (place > 0) {
        *s = subjects[index - place];
        s->borrowed = true;
        s->session = NULL;
        s->sampler = NULL;
        s->failure.code = TS_OK;
        s->reason[0] = '\0';
        return true;
    }
    make_label(subjects, index, plan->device_count);
    s->model = ts_model_open(s->path, error);
    if (!s->model) {
        return false;
    }
    describe(s);
    return make_prompt(s, plan, error);
}

/* Asks the device what it is. False with s->failure. */
static bool describe_device(struct ts_subject *s, unsigned threads)
{
    struct ts_device_options options = {.threads = threads};
    struct ts_device *device = ts_device_open(s->device, &options, &s->failure);
    s->provenance = device ? ts_device_limits(device)->provenance : "";
    ts_device_close(device);
    return device != NULL;
}

bool ts_subject_open(struct ts_subject *subjects, unsigned index, const struct ts_plan *plan,
                     struct ts_error *error)
{
    struct ts_subject *s = &subjects[index];
    const struct ts_sampling greedy = {.temperature = 0, .top_p = 1};
    struct ts_session_options options = {.device = plan->devices[index % plan->device_count],
                                         .threads = plan->threads,
                                         .context = ts_plan_context(plan),
                                         .chunk = plan->chunk};
    if (!open_model(subjects, index, plan, error)) {
        return false;
    }
    s->device = options.device;
    s->status = TS_STATUS_SKIP;
    if (!ts_device_real_format(s->device, &s->real_format, error)) {
        return false;
    }
    if (describe_device(s, plan->threads)) {
        s->session = ts_session_open(s->model, &options, &s->failure);
    }
    if (!s->session) {
        snprintf(s->reason, sizeof s->reason, "%.*s", TS_REASON - 1, s->failure.message);
        *error = s->failure;
        return s->failure.code == TS_ERR_ENVIRONMENT;
    }
    s->failure.code = TS_OK;
    s->sampler = ts_sampler_open(&greedy, s->model->config.vocab, error);
    return s->sampler != NULL;
}

void ts_subject_close(struct ts_subject *subject)
{
    ts_sampler_close(subject->sampler);
    ts_session_close(subject->session);
    if (!subject->borrowed) {
        ts_model_close(subject->model);
        free(subject->prompt);
    }
}

const char *ts_subject_provenance(const struct ts_subject *subject)
{
    return subject->synthetic ? "synthetic" : "real";
}

bool ts_subject_software(const struct ts_subject *subject)
{
    return strcmp(subject->provenance, "software") == 0;
}

bool ts_subject_has_kernels(const struct ts_subject *subject)
{
    return subject->provenance[0] != '\0' && subject->real_format == TS_F32;
}
