/* The tool that makes mutants of the kernels: what it chooses, and that it counts nothing as found that
 * was not. */
#include "tests/support/program.h"

static char output[1 << 18], other[1 << 18];

static void expect_list(char *to, const char *arguments)
{
    int code = test_run(to, sizeof output, "mutate list %s 2>/dev/null", arguments);
    cr_assert(code == 0, "mutate list %s: exit code %d", arguments, code);
}

static unsigned lines_of(const char *text)
{
    unsigned count = 0;
    for (; *text; text++) {
        count += *text == '\n';
    }
    return count;
}

Test(metal_mutate, choice_follows_from_the_seed)
{
    expect_list(output, "--count 20 --seed 5");
    expect_list(other, "--count 20 --seed 5");
    cr_expect(lines_of(output) == 20, "%u", lines_of(output));
    cr_expect_str_eq(output, other);
    expect_list(other, "--count 20 --seed 6");
    cr_expect(strcmp(output, other) != 0);
    expect_list(other, "--count 40 --seed 5"); /* has those of the smaller count */
    cr_expect(lines_of(other) == 40, "%u", lines_of(other));
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        cr_expect(strstr(other, line) != NULL, "not among twice as many: %s", line);
    }
}

/* Every kind of mistake, and none in what is no code. */
Test(metal_mutate, kinds)
{
    expect_list(output, "--family norm --count 100000");
    const char *const kinds[] = {"i < a.width -> a.width < i in for",
                                 " < -> <= in for (uint i = index; i [<] a.width",
                                 "threadgroup_barrier(mem_flags::mem_threadgroup) -> nothing",
                                 "1.0f -> (1.0f + 1.0f) in float factor",
                                 "i -> (i) + 1 in to[[i]]",
                                 "32 -> 33 in sum = "};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cr_expect(strstr(output, kinds[i]) != NULL, "no '%s' in:\n%s", kinds[i], output);
    }
    cr_expect(strstr(output, "in threadgroup float") == NULL, "the size of an array:\n%s", output);
    cr_expect(strstr(output, "[4], i ^ 1") == NULL, "the number of a planted bug:\n%s", output);
    cr_expect(strstr(output, "i ^ [1]") == NULL, "what a planted bug puts in place:\n%s", output);
}

/* A folder with the norm's source, changed by sed. */
static struct test_path sources_with(const char *change)
{
    struct test_path folder = test_path("mutate");
    char command[1024];
    snprintf(
        command, sizeof command,
        "tools/embed-kernels.sh --flat %s kernels/norm.metal && sed -i.old -e '%s' %s/norm.metal",
        folder.text, change, folder.text);
    cr_assert(system(command) == 0, "%s", command);
    return folder;
}

static void remove_folder(const struct test_path *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s %s.explained", folder->text, folder->text);
    cr_expect(system(command) == 0);
}

/* The ids of a list, without places and words. */
static void keep_ids(char *text)
{
    char *to = text;
    for (char *line = text; *line;) {
        size_t id = strcspn(line, " "), length = strcspn(line, "\n");
        memmove(to, line, id);
        to[id] = '\n';
        to += id + 1;
        line += length + 1;
    }
    *to = '\0';
}

Test(metal_mutate, ids_stay_when_other_lines_change)
{
    char arguments[160];
    struct test_path folder = sources_with("s/^kernel/\\/* new *\\/\\\nkernel/");
    expect_list(output, "--family norm --count 1000");
    snprintf(arguments, sizeof arguments, "--count 1000 --sources %s", folder.text);
    expect_list(other, arguments);
    cr_expect(strcmp(output, other) != 0);
    keep_ids(output);
    keep_ids(other);
    cr_expect(lines_of(output) > 1 && lines_of(output) <= lines_of(other));
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        /* in a file alone more places of the headers count for it */
        cr_expect(strstr(other, line) != NULL, "%s is gone", line);
    }
    remove_folder(&folder);
}

static void expect_run(const struct test_path *folder, const char *arguments, int code,
                       const char *last, const char *contains)
{
    int got = test_run(output, sizeof output,
                       "mutate run --touchstone %s/touchstone --sources %s --folder %s/run %s",
                       test_build(), folder->text, folder->text, arguments);
    cr_assert(got == code, "%s: exit code %d, expected %d:\n%s", arguments, got, code, output);
    cr_assert(strstr(output, contains) != NULL, "no '%s' in:\n%s", contains, output);
    size_t length = strlen(output), wanted = strlen(last);
    cr_assert(length > wanted && output[length - 1] == '\n' &&
                  strncmp(output + length - 1 - wanted, last, wanted) == 0,
              "does not end with '%s':\n%s", last, output);
}

/* A planted bug that is none survives: unexplained, until a list says why. */
Test(metal_mutate, survivors)
{
    char arguments[160], path[128];
    struct test_path folder =
        sources_with("s/TS_MUTANT(2, a.width - 1, a.width)/TS_MUTANT(2, a.width + 0, a.width)/");
    expect_run(&folder, "--count 0", 1, "7 mutants, 6 killed, 0 explained, 1 unexplained",
               "UNEXPLAINED norm-planted-2");
    snprintf(path, sizeof path, "%s.explained", folder.text);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs("# why\nnorm-planted-2 it adds nothing\n", file) >= 0);
    fclose(file);
    snprintf(arguments, sizeof arguments, "--count 0 --explained %s", path);
    expect_run(&folder, arguments, 0, "7 mutants, 6 killed, 1 explained, 0 unexplained",
               "it adds nothing");
    remove_folder(&folder);
}

Test(metal_mutate, one_that_does_not_build_is_an_error)
{
    struct test_path folder =
        sources_with("s/^kernel/#if MUTANT == 3\\\n#error no\\\n#endif\\\nkernel/");
    expect_run(&folder, "--count 0", 1, "7 mutants, 6 killed, 0 explained, 1 unexplained",
               "ERROR       norm-planted-3");
    cr_expect(strstr(output, "does not compile") != NULL);
    remove_folder(&folder);
}

Test(metal_mutate, a_bug_that_the_table_does_not_name_is_an_error)
{
    struct test_path folder = sources_with("s/TS_MUTANT(4, i ^ 1, i)/TS_MUTANT(9, i ^ 1, i)/");
    expect_run(&folder, "--count 0", 1, "7 mutants, 6 killed, 0 explained, 1 unexplained",
               "ERROR: planted bug 9");
    remove_folder(&folder);
}

/* Bugs in many outputs only prove little. */
Test(metal_mutate, a_family_without_a_small_bug_is_an_error)
{
    struct test_path folder = sources_with("s/row + 1 == a.rows && i + 1 == a.width/i > 0/");
    expect_run(&folder, "--count 0", 1, "7 mutants, 7 killed, 0 explained, 0 unexplained",
               "ERROR: norm-planted-");
    cr_expect(strstr(output, "no planted bug of the family fewer") != NULL, "%s", output);
    remove_folder(&folder);
}

/* What finds nothing wrong must first find nothing wrong with what is right. */
Test(metal_mutate, kernels_must_pass_first)
{
    struct test_path folder = sources_with("s/rsqrt(mean + /rsqrt(mean + 2.0f * /");
    expect_run(&folder, "--count 3", 1, "0 mutants, 0 killed, 0 explained, 0 unexplained",
               "kernels/norm.metal fails without a mutant");
    remove_folder(&folder);
}

/* Mistakes by machine: every one is counted once, and most are found. The count is of all families. */
Test(metal_mutate, chosen_mistakes)
{
    unsigned mutants = 0, killed = 0, explained = 0, unexplained = 0;
    test_run(output, sizeof output,
             "mutate run --touchstone %s/touchstone --family norm --no-planted --count 80 --folder "
             "build/tmp/%d-mutate-run",
             test_build(), (int)getpid());
    const char *last = strstr(output, " mutants, ");
    while (last && last > output && last[-1] != '\n') {
        last--;
    }
    int read = last ? sscanf(last, "%u mutants, %u killed, %u explained, %u unexplained", &mutants,
                             &killed, &explained, &unexplained)
                    : 0;
    cr_assert(read == 4 && mutants > 0 && killed + unexplained == mutants && explained == 0, "%s",
              output);
    cr_expect(killed * 2 >= mutants, "%s", output);
}

Test(metal_mutate, wrong_use)
{
    cr_expect(test_run(output, sizeof output, "mutate") == 2);
    cr_expect(test_run(output, sizeof output, "mutate list --count x") == 2);
    cr_expect(test_run(output, sizeof output, "mutate list --family none") == 1);
    cr_expect(test_run(output, sizeof output, "mutate write --id norm-0") == 2);
}
