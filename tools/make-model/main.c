/* The command line of make-model, and the writing of a file from start to end. */
#include "tools/make-model/make_model.h"

#include "base/format.h"
#include "base/interrupt.h"
#include "tools/touchstone/meter.h"
#include "tools/touchstone/options.h"
#include "tools/touchstone/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { CHUNK = 4 << 20, ALIGNMENT = 32, LEAST_EXPERTS = 6, MOST_EXPERTS = 4096 };

struct options {
    const char *geometry;
    const char *vocabulary;
    const char *output;
    enum ts_recipe recipe;
    uint64_t experts; /* 0: the geometry's own */
    uint64_t seed;
    bool sparse, quiet;
};

/* A model about to be written. */
struct job {
    const struct options *options;
    struct ts_config config;
    struct ts_vocabulary vocabulary;
    struct ts_gguf_writer *writer;
    uint64_t tensors;
    uint64_t bytes; /* of all tensor data, padding included */
    uint64_t done;
    struct ts_meter meter;
    uint8_t *chunk;
    uint16_t halves[TS_FILL_HALVES];
};

typedef bool job_fn(struct job *job, const struct ts_tensor_spec *spec, uint32_t format,
                    struct ts_error *error);

static const char head[] =
    "usage: make-model --geometry tiny|layers4|flash [options] -o FILE\n\n"
    "Writes a random model in the published names, shapes, formats and metadata.\n\n";

static bool read_recipe(void *value, const char *flag, const char *name, struct ts_error *error)
{
    return ts_recipe_parse(name, value) ||
           ts_fail(error, TS_ERR_USAGE, "see make-model --help",
                   "%s: expected q2, q4, q2-q4, q8, f16 or bf16, not %s", flag, name);
}

static bool read_options(int argc, char **argv, struct options *o, int *code)
{
    struct ts_options options = {
        .program = "make-model",
        .head = head,
        .tail = "\nexit codes: 0 ok; 2 usage; 4 environment (disk, memory); 130 interrupted\n"};
    const struct ts_option lines[] = {
        TS_TEXT("geometry", 0, &o->geometry, "NAME",
                "tiny: 4 small layers; layers4: 4 layers of DeepSeek V4 Flash's\n"
                "size, of each kind; flash: all 43 layers",
                .needed = 1),
        TS_READ("recipe", 0, read_recipe, &o->recipe, "NAME",
                "q2 (default), q4, q2-q4 (last layers q4), q8, f16 or bf16"),
        TS_U64("experts", 0, &o->experts, LEAST_EXPERTS, MOST_EXPERTS, "N",
               "routed experts of a layer, 6 to 4096 (tiny: 8, others: 256)"),
        TS_U64("seed", 0, &o->seed, 0, UINT64_MAX, "N",
               "the same seed gives the same file (default 1)"),
        TS_TEXT("vocab", 0, &o->vocabulary, "FILE",
                "GGUF whose vocabulary to take (default: a built-in one of 512\n"
                "tokens)"),
        TS_FLAG("sparse", 0, &o->sparse,
                "leave the tensor data out as a hole: all zeros, hardly any disk\n"
                "space"),
        TS_FLAG("quiet", 'q', &o->quiet, "no progress on standard error"),
        TS_TEXT("output", 'o', &o->output, "FILE",
                "written beside as FILE.tmp and renamed when it is complete", .needed = 1),
    };
    *o = (struct options){.recipe = TS_RECIPE_Q2, .seed = 1};
    TS_OPTIONS_ADD(&options, lines);
    return ts_options_read(&options, argc, argv, code);
}

/* Calls fn for every tensor in the order of the file. */
static bool for_each(struct job *job, job_fn *fn, struct ts_error *error)
{
    const struct ts_config *c = &job->config;
    for (int layer = TS_GLOBAL_TENSORS; layer < (int)c->layers; layer++) {
        struct ts_tensor_spec specs[TS_TENSOR_COUNT];
        unsigned count = ts_tensor_specs(c, layer, specs);
        for (unsigned i = 0; i < count; i++) {
            uint32_t format = ts_recipe_format(job->options->recipe, specs[i].role,
                                               layer < 0 ? 0 : (uint32_t)layer, c->layers);
            if (!fn(job, &specs[i], format, error)) {
                return false;
            }
        }
    }
    return true;
}

static uint32_t dimensions(const struct ts_tensor_spec *spec)
{
    return spec->shape[2] > 1 ? 3 : spec->shape[1] > 1 ? 2 : 1;
}

static bool measure(struct job *job, const struct ts_tensor_spec *spec, uint32_t format,
                    struct ts_error *error)
{
    uint64_t bytes;
    const char *problem = ts_gguf_shape_bytes(format, dimensions(spec), spec->shape, &bytes);
    if (problem) {
        return ts_fail(error, TS_ERR_USAGE, NULL, "tensor %s has %s", spec->name, problem);
    }
    job->bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    job->tensors++;
    return true;
}

static bool declare(struct job *job, const struct ts_tensor_spec *spec, uint32_t format,
                    struct ts_error *error)
{
    (void)error; /* the writer remembers what goes wrong */
    ts_gguf_declare(job->writer, spec->name, format, dimensions(spec), spec->shape);
    return true;
}

static void show_progress(struct job *job)
{
    double all = (double)job->bytes, done = (double)job->done;
    ts_meter_show(&job->meter, "%3.0f %% of %.1f GB", all > 0 ? done * 100 / all : 100, all / 1e9);
}

static bool write_tensor(struct job *job, const struct ts_tensor_spec *spec, uint32_t format,
                         struct ts_error *error)
{
    uint64_t left;
    if (ts_gguf_shape_bytes(format, dimensions(spec), spec->shape, &left)) {
        return false;
    }
    if (job->options->sparse) {
        ts_gguf_skip_data(job->writer, left);
        return true;
    }
    struct ts_fill fill;
    ts_fill_start(&fill, spec, format, job->config.experts, job->options->seed, job->halves);
    uint64_t piece = CHUNK / ts_fill_unit(&fill) * ts_fill_unit(&fill);
    while (left > 0) {
        uint64_t bytes = left < piece ? left : piece;
        if (!ts_fill_next(&fill, job->chunk, bytes)) {
            return ts_fail(error, TS_ERR_USAGE, NULL, "%s: no random blocks of %s are known",
                           spec->name, ts_format_name(format));
        }
        ts_gguf_write_data(job->writer, job->chunk, bytes);
        left -= bytes;
        job->done += bytes;
        show_progress(job);
        if (ts_interrupted()) {
            return ts_fail(error, TS_ERR_INTERRUPTED, NULL, "interrupted; nothing was written");
        }
    }
    return true;
}

/* Refuses what would fail after minutes of writing. */
static bool check_place(const struct job *job, struct ts_error *error)
{
    const char *output = job->options->output;
    struct stat status;
    if (stat(output, &status) == 0 && !S_ISREG(status.st_mode)) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, "choose another name",
                       "%.300s: is not a regular file", output);
    }
    const char *slash = strrchr(output, '/');
    size_t length = slash ? (size_t)(slash - output) + 1 : 1;
    char *folder = calloc(length + 1, 1);
    if (!folder) {
        return ts_fail_memory(error, "a path", length);
    }
    memcpy(folder, slash ? output : ".", length);
    struct statvfs space;
    bool known = statvfs(folder, &space) == 0;
    free(folder);
    uint64_t needed =
        (job->options->sparse ? 0 : job->bytes) + job->vocabulary.bytes + job->tensors * 256 + 8192;
    uint64_t available = known ? (uint64_t)space.f_bavail * space.f_frsize : 0;
    if (known && available < needed) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, "free disk space or choose another folder",
                       "%.300s: needs %" PRIu64 " bytes, %" PRIu64 " are free", output, needed,
                       available);
    }
    return true; /* where it cannot be told, creating the file tells more */
}

static bool write_file(struct job *job, const char *path, struct ts_error *error)
{
    const struct options *o = job->options;
    job->writer = ts_gguf_writer_open(path, error);
    if (!job->writer) {
        return false;
    }
    ts_geometry_metadata(job->writer, &job->config, o->geometry, o->recipe, o->seed);
    bool ok = ts_vocabulary_write(&job->vocabulary, job->writer, error) &&
              for_each(job, declare, error) && for_each(job, write_tensor, error);
    ts_meter_wipe(&job->meter);
    if (!ok) {
        ts_gguf_writer_close(job->writer, NULL);
        unlink(path);
        return false;
    }
    return ts_gguf_writer_close(job->writer, error);
}

static bool write_beside(struct job *job, struct ts_error *error)
{
    const char *output = job->options->output;
    size_t room = strlen(output) + 5;
    char *path = malloc(room);
    job->chunk = malloc(CHUNK);
    if (!path || !job->chunk) {
        free(path);
        return ts_fail_memory(error, "a model", CHUNK);
    }
    snprintf(path, room, "%s.tmp", output);
    bool ok = write_file(job, path, error);
    if (ok && rename(path, output) != 0) {
        ok = ts_fail(error, TS_ERR_ENVIRONMENT, "choose another name", "%.300s: %s", output,
                     strerror(errno));
        unlink(path);
    }
    free(path);
    return ok;
}

static bool make_model(const struct options *o, struct ts_error *error)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        return ts_fail_memory(error, "a model", sizeof *job);
    }
    job->options = o;
    ts_meter_begin(&job->meter, o->quiet);
    bool ok = ts_geometry(o->geometry, (uint32_t)o->experts, &job->config) ||
              ts_fail(error, TS_ERR_USAGE, "see make-model --help",
                      "--geometry: expected tiny, layers4 or flash, not %s", o->geometry);
    /* the small geometry takes the size of whatever vocabulary it is given */
    uint32_t at_least = ok && strcmp(o->geometry, "tiny") != 0 ? job->config.vocab : 0;
    ok = ok && ts_vocabulary_open(&job->vocabulary, o->vocabulary, at_least, error);
    if (ok) {
        job->config.vocab = job->vocabulary.count;
        ok = for_each(job, measure, error) && check_place(job, error);
    }
    if (ok) {
        printf("%s: %s %s, %" PRIu32 " layers, %" PRIu32 " experts, %" PRIu32
               " tokens, seed %" PRIu64 ": %" PRIu64 " tensors, %" PRIu64 " bytes of data%s\n",
               o->output, o->geometry, ts_recipe_name(o->recipe), job->config.layers,
               job->config.experts, job->config.vocab, o->seed, job->tensors, job->bytes,
               o->sparse ? " (a hole)" : "");
        fflush(stdout);
        ts_catch_interrupts();
        ok = write_beside(job, error);
    }
    ts_vocabulary_close(&job->vocabulary);
    free(job->chunk);
    free(job);
    return ok;
}

int main(int argc, char **argv)
{
    struct options options;
    struct ts_error error = {.code = TS_OK};
    int code;
    ts_output_begin();
    ts_output_outlive_reader();
    if (read_options(argc, argv, &options, &code)) {
        code = make_model(&options, &error) ? 0 : ts_report_as("make-model", &error);
    }
    return ts_output_end("make-model", code);
}
