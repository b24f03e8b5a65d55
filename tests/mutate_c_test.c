/* The tool that makes mutants of C files, on a tree of one file and one suite: what it makes, and that it
 * counts nothing as found that was not. */
#include "tests/support/program.h"

static char output[1 << 16], other[1 << 16];

static const char sample[] =
    "#include <stdlib.h>\n"
    "struct pair { int x, y; };\n"
    "int difference(int a, int b);\n"
    "int difference(int a, int b)\n"
    "{\n"
    "    return a - b;\n"
    "}\n"
    "int total(const int *values, int count, char *text);\n"
    "int total(const int *values, int count, char *text)\n"
    "{\n"
    "    int sum = 0, room[4] = {0};\n"
    "    struct pair pair = (struct pair){.x = count, .y = (int)sizeof(room)};\n"
    "    if (!values || count < 0) {\n"
    "        return -1; /* count < 0 */\n"
    "    }\n"
    "    for (int i = 0; i < count;) {\n"
    "        sum += values[i];\n"
    "        i++;\n"
    "    }\n"
    "    if (sum == 7 && pair.x > 0) {\n"
    "        sum = count > 1 ? difference(sum, count) : difference(count, sum);\n"
    "    }\n"
    "    const char *before = text ? text - 1 : text;\n"
    "    (void)before;\n"
    "    free(text);\n"
    "    switch (pair.y) {\n"
    "    case 1: sum++; break;\n"
    "    }\n"
    "#ifdef NEVER\n"
    "    sum = 99;\n"
    "#endif\n"
    "    return sum;\n"
    "}\n"
    "int unused(int x);\n"
    "int unused(int x)\n"
    "{\n"
    "    return x * 2;\n"
    "}\n";

/* Knows two sums: not the one that is 7 with a single value, nor a negative count. */
static const char suite[] =
    "int total(const int *values, int count, char *text);\n"
    "int main(void)\n"
    "{\n"
    "    const int three[] = {1, 2, 4}, four[] = {1, 2, 4, 8};\n"
    "    return total(three, 3, 0) != 4 || total(four, 4, 0) != 15 || total(0, 1, 0) != -1;\n"
    "}\n";

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

static void shell(const char *format, const char *folder)
{
    char command[1024];
    snprintf(command, sizeof command, format, folder);
    cr_assert(system(command) == 0, "%s", command);
}

/* The sample, its suite, and a map in which the suite runs all but the last function. */
static struct test_path make_tree(const char *text)
{
    struct test_path t = test_path("mutate-c");
    shell("mkdir -p %s", t.text);
    shell("cd %s && mkdir -p c build/tests map", t.text);
    write_text(t.text, "c/sample.c", text);
    write_text(t.text, "suite.c", suite);
    shell("cd %s && cc -c -o build/tests/tiny_test.o suite.c && cc -c -o sample.o c/sample.c && "
          "ar rcs library.a sample.o",
          t.text);
    char command[2048];
    snprintf(
        command, sizeof command,
        "set -e; t=%s; for i in $(seq 1 34); do echo $t/c/sample.c $i; done | %s/mutate-c map $t/c "
        "| sort -u > $t/places; { echo seconds 0; cat $t/places; } > $t/map/tiny_test; "
        "{ cat $t/places; echo sample.c:unused:; echo 'sample.c:unused:returnx*2;'; } > "
        "$t/map/known",
        t.text, test_build());
    cr_assert(system(command) == 0, "%s", command);
    return t;
}

static void remove_tree(const struct test_path *t)
{
    shell("rm -rf %s", t->text);
}

static void expect_list(char *to, const struct test_path *t, const char *arguments)
{
    int code = test_run(to, sizeof output, "mutate-c list %s %s/c 2>/dev/null", arguments, t->text);
    cr_assert(code == 0, "mutate-c list %s: exit code %d", arguments, code);
}

Test(mutate_c, kinds)
{
    struct test_path t = make_tree(sample);
    expect_list(output, &t, "--count 1000");
    const char *const kinds[] = {" less ",
                                 "< -> <= in for (int i = 0; i [<] count",
                                 " equal ",
                                 "== -> != in if (sum [==] 7",
                                 " logic ",
                                 "|| -> && in if (!values [||] count",
                                 "&& -> || in if (sum == 7 [&&]",
                                 " negation ",
                                 "! -> nothing in if ([!]values",
                                 " plus-one ",
                                 "7 -> 8 in",
                                 " minus-one ",
                                 "1 -> 0 in return -[1];",
                                 "i -> (i) + 1 in sum += values[[i]]",
                                 "a - b -> b - a in return [a - b];",
                                 "sum, count -> count, sum in",
                                 "i < count -> count < i in",
                                 "(difference(count, sum)) : (difference(sum, count)) in",
                                 " statement ",
                                 "sum += values[i] -> nothing",
                                 "break -> nothing",
                                 "sum++ -> nothing",
                                 " return ",
                                 "return -1 -> nothing"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cr_expect(strstr(output, kinds[i]) != NULL, "no '%s' in:\n%s", kinds[i], output);
    }
    const char *const none[] = {"free(text) -> nothing",
                                "return sum -> nothing",
                                "/* [",
                                "room[[4]]",
                                "sum = 99",
                                ".x = count -> nothing",
                                "case [1]",
                                "int sum = 0 -> nothing"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_expect(strstr(output, none[i]) == NULL, "'%s' in:\n%s", none[i], output);
    }
    remove_tree(&t);
}

Test(mutate_c, choice_follows_from_the_seed)
{
    struct test_path t = make_tree(sample);
    expect_list(output, &t, "--count 8 --seed 5");
    expect_list(other, &t, "--count 8 --seed 5");
    cr_expect_str_eq(output, other);
    expect_list(other, &t, "--count 8 --seed 6");
    cr_expect(strcmp(output, other) != 0);
    expect_list(other, &t, "--count 16 --seed 5");
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        cr_expect(strstr(other, line) != NULL, "not among twice as many: %s", line);
    }
    remove_tree(&t);
}

/* An id is of the file's name, the function and the line's text: it stays where other lines change, or the
 * folder. */
Test(mutate_c, ids_stay_when_files_move)
{
    char id[80];
    struct test_path t = make_tree(sample);
    expect_list(output, &t, "--count 1000");
    shell("cd %s && mkdir c/room && (echo 'int first;'; cat c/sample.c) > c/room/sample.c && rm "
          "c/sample.c",
          t.text);
    expect_list(other, &t, "--count 1000");
    cr_expect(strstr(other, "c/room/sample.c:2") != NULL, "%s", other);
    for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
        snprintf(id, sizeof id, "%.*s ", (int)strcspn(line, " "), line);
        cr_expect(strstr(other, id) != NULL, "%s is gone", id);
    }
    remove_tree(&t);
}

/* The id of the mutant whose description has `text`. */
static const char *id_of(const struct test_path *t, const char *text)
{
    static char id[80];
    expect_list(other, t, "--count 1000");
    char *at = strstr(other, text);
    cr_assert(at != NULL, "no '%s' in:\n%s", text, other);
    while (at > other && at[-1] != '\n') {
        at--;
    }
    snprintf(id, sizeof id, "%.*s", (int)strcspn(at, " "), at);
    return id;
}

Test(mutate_c, writes_one)
{
    char text[sizeof sample + 8];
    struct test_path t = make_tree(sample);
    const char *id = id_of(&t, "a - b -> b - a");
    cr_expect(test_run(output, sizeof output, "mutate-c write --id %s %s/c", id, t.text) == 0);
    snprintf(text, sizeof text, "%s", sample);
    char *at = strstr(text, "a - b");
    at[0] = 'b';
    at[4] = 'a';
    cr_expect_str_eq(output, text);
    cr_expect(test_run(output, sizeof output, "mutate-c write --id none-1 %s/c", t.text) == 2);
    remove_tree(&t);
}

static int run(const struct test_path *t, const char *arguments)
{
    return test_run(
        output, sizeof output,
        "mutate-c run --folder %s/run --build %s/build --map %s/map --compile 'cc -w' --link "
        "cc --libraries %s/library.a --deadline 1 --count 1000 %s %s/c",
        t->text, t->text, t->text, t->text, arguments, t->text);
}

static void expect_line(const char *word, const char *text)
{
    for (const char *at = output; (at = strstr(at, word)); at++) {
        size_t length = strcspn(at, "\n");
        const char *found = strstr(at, text);
        if (found && found < at + length) {
            return;
        }
    }
    cr_expect(false, "no '%s' with '%s' in:\n%s", word, text, output);
}

/* Each is killed, survives, hangs or does not compile; the tree stays as it was. */
Test(mutate_c, outcomes)
{
    unsigned mutants = 0, killed = 0, explained = 0, unexplained = 0;
    struct test_path t = make_tree(sample);
    cr_expect(run(&t, "") == 1);
    expect_line("killed ", "a - b -> b - a");
    expect_line("killed ", "sum += values[i] -> nothing");
    expect_line("killed ", "== -> != in if (sum [==] 7");
    expect_line("killed ", "i++ -> nothing");
    expect_line("killed ", "(difference(count, sum)) : (difference(sum, count))");
    expect_line("UNEXPLAINED ", "1 -> 2 in sum = count > [1]");
    expect_line("no program ", "text - 1 -> 1 - text");
    cr_expect(strstr(output, "tiny_test: ran on after 1 s") != NULL, "%s", output);
    expect_line("UNEXPLAINED ", "< -> <= in if (!values || count [<] 0");
    expect_line("UNEXPLAINED ", "2 -> 3 in return x");
    cr_expect(strstr(output, "no suite runs this line") != NULL, "%s", output);
    cr_expect(strstr(output, "passes tiny_test") != NULL, "%s", output);
    const char *last = strstr(output, " mutants, ");
    while (last && last > output && last[-1] != '\n') {
        last--;
    }
    cr_assert(last && sscanf(last, "%u mutants, %u killed, %u explained, %u unexplained", &mutants,
                             &killed, &explained, &unexplained) == 4,
              "%s", output);
    cr_expect(killed > 0 && unexplained > 0 && killed + unexplained == mutants && explained == 0);
    shell("test ! -e %s/run", t.text);
    write_text(t.text, "as-it-was.c", sample);
    shell("cd %s && cmp as-it-was.c c/sample.c", t.text);
    remove_tree(&t);
}

/* All that survive, and one more, in a list. */
Test(mutate_c, explained)
{
    char arguments[160], list[1 << 14] = "# why\nsample-00000000 of code that is gone\n";
    struct test_path t = make_tree(sample);
    cr_expect(run(&t, "--seed 3") == 1);
    for (char *at = output; (at = strstr(at, "UNEXPLAINED ")); at++) {
        const char *id = at + strlen("UNEXPLAINED ");
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%.*s it is so\n", (int)strcspn(id, " "), id);
    }
    write_text(t.text, "explained", list);
    snprintf(arguments, sizeof arguments, "--explained %s/explained", t.text);
    cr_expect(run(&t, arguments) == 0, "%s", output);
    cr_expect(strstr(output, "explained, but gone: sample-00000000\n") != NULL, "%s", output);
    cr_expect(strstr(output, ", 0 explained") == NULL &&
                  strstr(output, ", 0 unexplained\n") != NULL,
              "%s", output);
    expect_line("explained ", "1 -> 2 in sum = count > [1]");
    remove_tree(&t);
}

/* A suite that fails as it is finds nothing; nor is a filter that lets nothing through a success. */
Test(mutate_c, suites_must_pass_first)
{
    struct test_path t = make_tree(sample);
    cr_expect(run(&t, "--filter none") == 1 && strstr(output, "no mutant") != NULL, "%s", output);
    shell("cd %s && sed -e 's/a - b/a + b/' c/sample.c > wrong.c && cc -c -o sample.o wrong.c && "
          "ar rcs library.a sample.o",
          t.text);
    cr_expect(run(&t, "") == 1, "%s", output);
    cr_expect(strstr(output, "tiny_test fails without a mutant") != NULL, "%s", output);
    cr_expect(strstr(output, "0 mutants, 0 killed") != NULL, "%s", output);
    remove_tree(&t);
}

Test(mutate_c, wrong_use)
{
    cr_expect(test_run(output, sizeof output, "mutate-c") == 2);
    cr_expect(test_run(output, sizeof output, "mutate-c list") == 2);
    cr_expect(test_run(output, sizeof output, "mutate-c list --count x engine") == 2);
    cr_expect(test_run(output, sizeof output, "mutate-c list build/none") == 2);
    cr_expect(test_run(output, sizeof output, "mutate-c run --map build/none reference") == 2);
}
