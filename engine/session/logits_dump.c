#include "engine/session/logits_dump.h"

#include "engine/gguf/write.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct ts_logits_dump {
    char *path;
    char *part; /* path + ".tmp" */
    FILE *spool;
    float *row; /* [vocab] */
    uint32_t vocab;
    uint64_t positions;
};

static bool fail_system(const char *path, const char *what, struct ts_error *error)
{
    return ts_fail(error, TS_ERR_ENVIRONMENT, "free disk space or choose another folder",
                   "%.300s: %s: %s", path, what, strerror(errno));
}

/* The name serves to find out early whether files can be made there; then it goes. */
static bool open_spool(struct ts_logits_dump *dump, struct ts_error *error)
{
    struct stat status;
    if (stat(dump->path, &status) == 0) {
        if (!S_ISREG(status.st_mode)) {
            return ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%.300s: is not a regular file",
                           dump->path);
        }
        if (access(dump->path, W_OK) != 0) {
            return fail_system(dump->path, "cannot be written", error);
        }
    }
    int descriptor = open(dump->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return fail_system(dump->path, "cannot be written", error);
    }
    unlink(dump->part);
    dump->spool = fdopen(descriptor, "w+b");
    if (!dump->spool) {
        close(descriptor);
        return fail_system(dump->path, "cannot be written", error);
    }
    return true;
}

struct ts_logits_dump *ts_logits_dump_open(const char *path, uint32_t vocab, struct ts_error *error)
{
    size_t length = strlen(path);
    struct ts_logits_dump *dump = calloc(1, sizeof *dump);
    if (dump) {
        dump->vocab = vocab;
        dump->path = strdup(path);
        dump->part = malloc(length + sizeof ".tmp");
        dump->row = calloc(vocab, sizeof *dump->row);
    }
    if (!dump || !dump->path || !dump->part || !dump->row) {
        ts_logits_dump_close(dump);
        ts_fail_memory(error, "a logits dump", vocab * sizeof(float));
        return NULL;
    }
    snprintf(dump->part, length + sizeof ".tmp", "%s.tmp", path);
    if (!open_spool(dump, error)) {
        ts_logits_dump_close(dump);
        return NULL;
    }
    return dump;
}

void ts_logits_dump_close(struct ts_logits_dump *dump)
{
    if (dump) {
        if (dump->spool) {
            fclose(dump->spool);
        }
        free(dump->path);
        free(dump->part);
        free(dump->row);
        free(dump);
    }
}

bool ts_logits_dump_add(void *context, uint64_t position, const double *logits,
                        struct ts_error *error)
{
    struct ts_logits_dump *dump = context;
    if (position != dump->positions) {
        return ts_fail(error, TS_ERR_INPUT, NULL,
                       "%.300s: the logits of position %llu come where those of %llu belong",
                       dump->path, (unsigned long long)position,
                       (unsigned long long)dump->positions);
    }
    for (uint32_t i = 0; i < dump->vocab; i++) {
        if (isnan(logits[i])) {
            return ts_fail(error, TS_ERR_CHECK, NULL, "logit %u of position %llu is NaN", i,
                           (unsigned long long)position);
        }
        dump->row[i] = (float)logits[i];
    }
    if (fwrite(dump->row, sizeof *dump->row, dump->vocab, dump->spool) != dump->vocab) {
        return fail_system(dump->path, "writing logits failed", error);
    }
    dump->positions++;
    return true;
}

static const char *class_of(const struct ts_config *config, uint64_t tokens, bool kv_rounding)
{
    for (uint32_t layer = 0; layer < config->layers; layer++) {
        if (ts_config_indexed(config, layer) &&
            tokens / config->ratio[layer] > config->index_top_k) {
            return "selection";
        }
    }
    return kv_rounding ? "rounding" : "exact";
}

/* golden.positions names the columns of intermediates; a dump has none, and its logits are of all
 * positions, but readers may expect the key. */
static bool put_positions(const struct ts_logits_dump *dump, struct ts_gguf_writer *writer,
                          struct ts_error *error)
{
    uint32_t *positions = calloc(dump->positions, sizeof *positions);
    if (!positions) {
        return ts_fail_memory(error, "a list of positions", dump->positions * sizeof *positions);
    }
    for (uint64_t i = 0; i < dump->positions; i++) {
        positions[i] = (uint32_t)i;
    }
    ts_gguf_put_array(writer, "golden.positions", TS_GGUF_U32, positions, dump->positions);
    free(positions);
    return true;
}

static bool copy_spool(struct ts_logits_dump *dump, struct ts_gguf_writer *writer,
                       struct ts_error *error)
{
    if (fflush(dump->spool) != 0 || fseek(dump->spool, 0, SEEK_SET) != 0) {
        return fail_system(dump->path, "writing logits failed", error);
    }
    for (uint64_t i = 0; i < dump->positions; i++) {
        if (fread(dump->row, sizeof *dump->row, dump->vocab, dump->spool) != dump->vocab) {
            return fail_system(dump->path, "reading the spooled logits failed", error);
        }
        ts_gguf_write_data(writer, dump->row, dump->vocab * sizeof *dump->row);
    }
    return true;
}

bool ts_logits_dump_finish(struct ts_logits_dump *dump, const struct ts_model *model,
                           bool kv_rounding, const int32_t *tokens, struct ts_error *error)
{
    if (dump->positions == 0) {
        return ts_fail(error, TS_ERR_INPUT, NULL, "%.300s: there are no logits to write",
                       dump->path);
    }
    struct ts_gguf_writer *writer = ts_gguf_writer_open(dump->part, error);
    if (!writer) {
        return false;
    }
    uint64_t shape[2] = {dump->vocab, dump->positions};
    ts_gguf_put_text(writer, "general.type", "golden-trace");
    bool ok = put_positions(dump, writer, error);
    ts_gguf_put_bool(writer, "golden.kv_rounding", kv_rounding);
    ts_gguf_put_text(writer, "golden.class",
                     class_of(&model->config, dump->positions, kv_rounding));
    ts_gguf_declare(writer, "tokens", TS_I32, 1, &shape[1]);
    ts_gguf_declare(writer, "logits", TS_F32, 2, shape);
    ts_gguf_write_data(writer, tokens, dump->positions * sizeof *tokens);
    ok = ok && copy_spool(dump, writer, error);
    if (!ts_gguf_writer_close(writer, ok ? error : NULL) || !ok) {
        return false; /* the writer removes what is incomplete */
    }
    if (rename(dump->part, dump->path) != 0) {
        unlink(dump->part);
        return fail_system(dump->path, "cannot be written", error);
    }
    return true;
}
