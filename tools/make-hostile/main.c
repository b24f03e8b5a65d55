/* The command line of make-hostile: writes every file, and the list of what to expect of them. */
#include "tools/make-hostile/make_hostile.h"

#include "tools/touchstone/options.h"
#include "tools/touchstone/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char head[] =
    "usage: make-hostile DIR\n\n"
    "Writes files that must be refused into DIR, each named for what is wrong with it, and the\n"
    "sound ones that they are made from (sound-*). DIR/expected.tsv has a line for each: the\n"
    "arguments of touchstone (@ stands for DIR), the exit code, and a part of the message.\n\n";

/* How a file is used: arguments, and the exit code if it is refused. */
static const struct {
    char use;
    int code;
    const char *arguments; /* @/ is the folder, % the file */
} uses[] = {
    {'i', 2, "inspect @/%"},
    {'t', 2, "tokenize -m @/% -p ab"},
    {'r', 2, "run -m @/% -p ab -n 1 --ctx 16 --threads 1"},
    {'n', 1, "run -m @/% -p ab -n 1 --ctx 16 --threads 1"},
    {'c', 1, "check -m @/sound-0.gguf --trace @/%"},
    {'g', 1, "check --golden @/%"},
    {'d', 2, "tokenize -m @/sound-0.gguf --decode -f @/%"},
    {'v', 1, "tokenize -m @/sound-0.gguf --vectors @/%"},
    {'p', 2, "report @/%"},
};

static void fail(const char *path)
{
    fprintf(stderr, "make-hostile: %s: %s\n", path, strerror(errno));
    exit(4);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fail(path);
    }
}

static void write_file(const char *folder, const char *name, const void *data, size_t length)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, length, file) != length || fclose(file) != 0) {
        fail(path);
    }
}

static void write_draft(const char *folder, const char *name, struct draft *draft, size_t cut)
{
    struct bytes bytes = draft_write(draft);
    write_file(folder, name, bytes.data, cut < bytes.length ? bytes.length - cut : 0);
    bytes_free(&bytes);
    draft_free(draft);
}

static void write_run(const char *folder, const char *name, const char *runs,
                      const char *environment)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    make_folder(path);
    write_file(path, "runs.jsonl", runs, strlen(runs));
    write_file(path, "environment.json", environment, strlen(environment));
}

static void list_case(FILE *list, const char *name, char use, const char *expect)
{
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        if (uses[i].use != use) {
            continue;
        }
        for (const char *at = uses[i].arguments; *at; at++) {
            fputs(*at == '%' ? name : (char[]){*at, '\0'}, list);
        }
        fprintf(list, "\t%d\t%s\n", expect ? uses[i].code : 0, expect ? expect : "");
    }
}

static void write_case(const char *folder, const struct hostile_case *one)
{
    struct draft draft;
    struct bytes bytes = {NULL, 0, 0};
    switch (one->base) {
    case BASE_WORDS:
        bytes_add(&bytes, "GGUF", 4);
        bytes_words(&bytes, one->edit);
        write_file(folder, one->name, bytes.data, bytes.length);
        bytes_free(&bytes);
        return;
    case BASE_TEXT: write_file(folder, one->name, one->edit, strlen(one->edit)); return;
    case BASE_RUNS: write_run(folder, one->name, one->edit, "{}"); return;
    case BASE_ENVIRONMENT: write_run(folder, one->name, "", one->edit); return;
    case BASE_CUT:
        sound_model(&draft, 0);
        write_draft(folder, one->name, &draft, strtoull(one->edit, NULL, 10));
        return;
    case BASE_MODEL: sound_model(&draft, 0); break;
    case BASE_TRACE: sound_trace(&draft); break;
    case BASE_GOLDEN: sound_golden(&draft); break;
    }
    draft_edit(&draft, one->edit);
    write_draft(folder, one->name, &draft, 0);
}

static void write_cases(const char *folder, FILE *list, const struct hostile_case *cases,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        write_case(folder, &cases[i]);
        list_case(list, cases[i].name, cases[i].use, cases[i].expect);
    }
}

static void write_sound(const char *folder, FILE *list)
{
    struct draft draft;
    for (unsigned i = 0; i < SOUND_MODELS; i++) {
        char name[32];
        snprintf(name, sizeof name, "sound-%u.gguf", i);
        sound_model(&draft, i);
        write_draft(folder, name, &draft, 0);
        list_case(list, name, 'i', NULL);
        list_case(list, name, 't', NULL);
        list_case(list, name, 'r', NULL);
    }
    sound_trace(&draft);
    write_draft(folder, "sound.trace.gguf", &draft, 0);
    sound_golden(&draft);
    write_draft(folder, "sound.ops.gguf", &draft, 0);
    list_case(list, "sound.ops.gguf", 'g', NULL);
}

static void write_all(const char *folder)
{
    char path[1024];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/expected.tsv", folder);
    FILE *list = fopen(path, "wb");
    if (!list) {
        fail(path);
    }
    write_sound(folder, list);
    write_cases(folder, list, container_cases, container_count);
    write_cases(folder, list, model_cases, model_count);
    write_cases(folder, list, other_cases, other_count);
    bool lost = ferror(list) != 0;
    if (fclose(list) != 0 || lost) {
        fail(path);
    }
}

int main(int argc, char **argv)
{
    const char *folder = NULL;
    struct ts_options options = {
        .program = "make-hostile", .head = head, .operand = &folder, .operand_name = "a DIR"};
    int code;
    ts_output_begin();
    if (ts_options_read(&options, argc, argv, &code)) {
        write_all(folder);
    }
    return ts_output_end("make-hostile", code);
}
