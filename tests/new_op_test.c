/* make new-op: in a copy of the tree, what it writes compiles without a warning and is in the table
 * with a reference that works; and it refuses what cannot be, without touching a file. */
#include "tests/support/program.h"

enum { LONG = 32768 };

/* Runs a shell command in the folder, all output into `output` [LONG]. Returns the exit code. */
__attribute__((format(printf, 3, 4))) static int shell(const char *folder, char *output,
                                                       const char *format, ...)
{
    char command[2048];
    va_list list;
    int used = snprintf(command, sizeof command, "exec 2>&1; cd %s && ", folder);
    va_start(list, format);
    vsnprintf(command + used, sizeof command - (size_t)used, format, list);
    va_end(list);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL, "%s: no pipe", command);
    size_t length = fread(output, 1, LONG - 1, pipe);
    output[length] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What the script needs of the tree, in a folder of its own. */
static struct test_path copy_tree(char *output)
{
    struct test_path copy = test_path("new-op");
    int code = shell(".", output,
                     "rm -rf %s && mkdir -p %s/tools && "
                     "cp -R base kernels reference %s && cp tools/new-op.sh %s/tools",
                     copy.text, copy.text, copy.text, copy.text);
    cr_assert(code == 0, "%s", output);
    return copy;
}

static void remove_tree(const struct test_path *copy, char *output)
{
    shell(".", output, "rm -rf %s", copy->text);
}

/* Prints each operation's line of the table; of those named as arguments also extents and work for
 * rows 2, width 3, factor -0.5, and what the reference makes of 1 .. 6 with an error of 0.25. */
static const char probe[] =
    "#include \"reference/reference.h\"\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "static void run(enum ts_op op)\n"
    "{\n"
    "    struct ts_test_scaled_args args = {.rows = 2, .width = 3, .factor = -0.5f};\n"
    "    double x[6] = {1, 2, 3, 4, 5, 6}, carried[6], y[6] = {0}, err[6] = {0};\n"
    "    uint64_t elements[TS_MAX_OPERANDS] = {0}, want[] = {0, 1, 2, 3, 5};\n"
    "    struct ts_work work;\n"
    "    for (int i = 0; i < 6; i++) { carried[i] = 0.25; }\n"
    "    struct ts_ref_in in = {.data = x, .format = TS_F64, .err = carried};\n"
    "    struct ts_ref_out out = {.value = y, .err = err, .want = want, .want_count = 5};\n"
    "    struct ts_ref_claim claim = {0, 0x1p-24, 0x1p-24, 0};\n"
    "    ts_op_info(op)->extent(&args, elements);\n"
    "    ts_op_work(op, &args, &work);\n"
    "    bool done = ts_ref_op(op)(&args, &in, &out, &claim, NULL, NULL);\n"
    "    printf(\"%d: %d %d, %d flops:\", done, (int)elements[0], (int)elements[1],\n"
    "           (int)work.flops);\n"
    "    for (int i = 0; i < 6; i++) {\n"
    "        printf(\" %g%s\", y[i], err[i] > 0.125 && err[i] < 0.126 ? \"\" : \"?\");\n"
    "    }\n"
    "    printf(\"\\n\");\n"
    "}\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    for (int op = 0; op < TS_OP_COUNT; op++) {\n"
    "        const struct ts_op_info *o = ts_op_info((enum ts_op)op);\n"
    "        printf(\"%s of %s: %u operands, %u bytes, %s %s\\n\", o->name, o->family,\n"
    "               o->operand_count, o->args_bytes, o->linear ? \"linear\" : \"curved\",\n"
    "               o->fused ? \"fused\" : \"plain\");\n"
    "        for (int i = 1; i < argc; i++) {\n"
    "            if (strcmp(o->name, argv[i]) == 0) { run((enum ts_op)op); }\n"
    "        }\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

static void write_probe(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/probe.c", folder);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL, "%s cannot be written", path);
    fputs(probe, file);
    fclose(file);
}

static void expect_text(const char *output, const char *want)
{
    cr_expect(strstr(output, want) != NULL, "no '%s' in:\n%s", want, output);
}

Test(new_op, what_it_writes_builds_and_works)
{
    static char output[LONG];
    struct test_path copy = copy_tree(output);
    int code = shell(copy.text, output, "tools/new-op.sh test_scaled norm");
    cr_expect(code == 0, "exit %d", code);
    expect_text(output, "changed  kernels/ops.def");
    expect_text(output, "changed  kernels/norm.h");
    expect_text(output, "changed  kernels/norm.c");
    expect_text(output, "changed  reference/norm.c");
    expect_text(output, "changed  kernels/norm.metal");
    expect_text(output, "CONTRIBUTING.md");
    cr_expect(!strstr(output, "kernels/ops.h"), "a family that exists needs no include");
    code = shell(copy.text, output, "tools/new-op.sh test9_ z_family");
    cr_expect(code == 0, "exit %d: %s", code, output);
    expect_text(output, "new      kernels/z_family.h");
    expect_text(output, "new      reference/z_family.c");
    expect_text(output, "new      kernels/z_family.metal");
    expect_text(output, "changed  kernels/ops.h");

    write_probe(copy.text);
    code = shell(copy.text, output,
                 "${CC:-cc} -std=c11 -O0 -Wall -Wextra -Wconversion -D_GNU_SOURCE "
                 "-D_DARWIN_C_SOURCE -I. -pthread -o probe probe.c base/*.c kernels/*.c "
                 "reference/*.c $(pkg-config --cflags --libs libcjson) -lm");
    cr_assert(code == 0, "it does not build:\n%s", output);
    cr_expect(!strstr(output, "warning"), "it builds with warnings:\n%s", output);
    code = shell(copy.text, output, "./probe test_scaled test9_");
    cr_assert(code == 0, "exit %d: %s", code, output);
    expect_text(output, "test_scaled of norm: 2 operands, 12 bytes, linear plain\n"
                        "1: 6 6, 6 flops: -0.5 -1 -1.5 -2 0? -3\n"); /* element 4 is not wanted */
    expect_text(output, "test9_ of z_family: 2 operands, 12 bytes, linear plain\n"
                        "1: 6 6, 6 flops: -0.5 -1 -1.5 -2 0? -3\n");

    code = shell(copy.text, output, "grep -c 'TS_CASES(test_scaled, ' kernels/norm.c");
    cr_expect(code == 0 && strcmp(output, "1\n") == 0, "cases: %s", output);
    code = shell(copy.text, output, "grep -c '^TS_KERNEL(test' kernels/ops.def");
    cr_expect(code == 0 && strcmp(output, "2\n") == 0, "kernels: %s", output);
    code = shell(copy.text, output, "tools/new-op.sh test_scaled norm");
    cr_expect(code == 2, "the same operation a second time: exit %d", code);
    remove_tree(&copy, output);
}

Test(new_op, what_cannot_be_is_refused_and_touches_nothing)
{
    static const struct {
        const char *arguments, *says;
    } wrong[] = {
        {"", "no name"},
        {"scaled", "no family"},
        {"'' norm", "no name"},
        {"scaled ''", "no family"},
        {"Scaled norm", "'Scaled' is not of the form"},
        {"9scaled norm", "'9scaled' is not of the form"},
        {"_scaled norm", "'_scaled' is not of the form"},
        {"sca-led norm", "'sca-led' is not of the form"},
        {"'sca led' norm", "'sca led' is not of the form"},
        {"'scaled.*' norm", "is not of the form"},
        {"scaled Norm", "'Norm' is not of the form"},
        {"scaled ../norm", "'../norm' is not of the form"},
        {"rms_norm norm", "operation 'rms_norm' exists"},
        {"rms_norm z_family", "operation 'rms_norm' exists"},
        {"hc_pre_norm hyper", "operation 'hc_pre_norm' exists"},
        {"load norm", "ts_ref_load is in use"},
        {"bool norm", "macro"},
        {"scaled ops", "kernels/ops.h exists"},
        {"scaled abi", "kernels/abi.h exists"},
        {"scaled budget", "reference/budget.c exists"},
        {"a2345678901234567890123456789012345678901 norm", "longer than 40"},
        {"scaled norm kv", "takes a name and a family"},
    };
    static char output[LONG], before[LONG];
    const char *sums = "find . -type f -exec cksum {} + | sort";
    struct test_path copy = copy_tree(output);
    cr_assert(shell(copy.text, before, "%s", sums) == 0, "%s", before);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int code = shell(copy.text, output, "tools/new-op.sh %s", wrong[i].arguments);
        cr_expect(code == 2, "new-op %s: exit %d", wrong[i].arguments, code);
        expect_text(output, wrong[i].says);
        shell(copy.text, output, "%s", sums);
        cr_assert(strcmp(output, before) == 0, "new-op %s changed a file", wrong[i].arguments);
    }
    int code = shell(copy.text, output, "tools/new-op.sh test_scaled norm && %s", sums);
    cr_expect(code == 0 && strcmp(output, before) != 0, "the sums see no change: %s", output);
    remove_tree(&copy, output);
}
