/* The folder of compiled kernels: whose it must be, and what of it is loaded. */
#include "support.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define NOBODY 65534
#define KERNEL                                                                                     \
    "#include <metal_stdlib>\nusing namespace metal;\n"                                            \
    "kernel void f(device float *x) { x[0] = 3; }\n"

/* A folder of the test's own, with the source `f.metal`; others may look into it. */
struct place {
    char folder[64], source[80], program[256];
};

static struct place open_place(void)
{
    struct place p;
    const char *build = getenv("TS_BUILD");
    cr_assert(realpath(build ? build : "build", p.program) != NULL);
    cr_assert(strlen(p.program) + sizeof "/softmetal" <= sizeof p.program);
    strcat(p.program, "/softmetal");
    snprintf(p.folder, sizeof p.folder, "/tmp/softmetal-test-XXXXXX");
    cr_assert(mkdtemp(p.folder) != NULL && chmod(p.folder, 0755) == 0);
    snprintf(p.source, sizeof p.source, "%s/f.metal", p.folder);
    put(p.source, KERNEL);
    cr_assert(chmod(p.source, 0644) == 0);
    return p;
}

static void shell(const struct place *p, const char *command)
{
    char all[1024];
    snprintf(all, sizeof all, "cd %s && %s", p->folder, command);
    cr_assert(system(all) == 0, "%s", all);
}

static void close_place(struct place *p)
{
    shell(p, "rm -rf \"$PWD\"");
}

/* Compiles and loads f.metal in an environment of nothing but `environment`, where `@` stands for
 * the folder, as another user if that is not 0; returns what it printed on both streams. */
static const char *compile(const struct place *p, const char *environment, uid_t user)
{
    static char out[8192];
    char words[512], command[2048];
    size_t n = 0;
    for (const char *c = environment; *c; c++) {
        n += (size_t)snprintf(words + n, sizeof words - n, *c == '@' ? "%s" : "%.1s",
                              *c == '@' ? p->folder : c);
        cr_assert(n < sizeof words);
    }
    const char *compiler = getenv("SOFTMETAL_CXX");
    snprintf(
        command, sizeof command, "cd / && exec env -i PATH=\"$PATH\" %s%s %s %s compile %s 2>&1",
        compiler ? "SOFTMETAL_CXX=" : "", compiler ? compiler : "", words, p->program, p->source);
    int ends[2];
    cr_assert(pipe(ends) == 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        if (user != 0 && (setgid(user) != 0 || setuid(user) != 0)) {
            _exit(9);
        }
        dup2(ends[1], 1);
        close(ends[0]);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(9);
    }
    close(ends[1]);
    n = 0;
    for (ssize_t got; (got = read(ends[0], out + n, sizeof out - 1 - n)) > 0;) {
        n += (size_t)got;
    }
    out[n] = '\0';
    close(ends[0]);
    int status;
    cr_assert(waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %s", environment, out);
    cr_expect(strstr(out, "1 of 1 kernels compiled") != NULL, "%s: %s", environment, out);
    return out;
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at++) {
        n++;
    }
    return n;
}

/* Files in a folder below that of the test; 0: there is none. */
static size_t files_in(const struct place *p, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    DIR *dir = opendir(path);
    size_t n = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        n += e->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

static void expect_private(const struct place *p, const char *name)
{
    char path[256];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    cr_expect(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700, "%s", path);
    cr_expect(files_in(p, name) == 5, "%s: %zu files", name, files_in(p, name));
}

Test(softmetal_cache, folder)
{
    struct place p = open_place();
    cr_expect(*compile(&p, "XDG_CACHE_HOME=@/x HOME=@/h", 0) == 'o', "no word but the kernel's");
    expect_private(&p, "x/touchstone/softmetal");
    cr_expect(files_in(&p, "h") == 0);
    cr_expect(*compile(&p, "HOME=@/h", 0) == 'o');
    expect_private(&p, "h/.cache/touchstone/softmetal");
    cr_expect(*compile(&p, "XDG_CACHE_HOME=not/absolute HOME=@/i", 0) == 'o');
    expect_private(&p, "i/.cache/touchstone/softmetal");
    cr_expect(*compile(&p, "SOFTMETAL_CACHE=@/a/b/ HOME=@/j", 0) == 'o');
    expect_private(&p, "a/b");
    cr_expect(files_in(&p, "j") == 0);
    close_place(&p);
}

/* What is refused is left as it is; a temporary folder takes its place and is gone afterwards. */
Test(softmetal_cache, refused_folders)
{
    static const struct {
        const char *prepare, *environment, *message;
        bool root; /* needs another user */
    } cases[] = {
        {"mkdir t c && chmod 777 c", "SOFTMETAL_CACHE=@/c", "/c can be written by others", false},
        {"mkdir t c && chmod 770 c", "SOFTMETAL_CACHE=@/c", "/c can be written by others", false},
        {"mkdir t c && chown 65534 c", "SOFTMETAL_CACHE=@/c", "/c belongs to another user", true},
        {"mkdir t d && ln -s d c", "SOFTMETAL_CACHE=@/c", "/c cannot be used: ", false},
        {"mkdir t && touch c", "SOFTMETAL_CACHE=@/c", "/c cannot be used: ", false},
        {"mkdir t && touch h", "HOME=@/h", "/touchstone/softmetal cannot be used: ", false},
        {"mkdir t", "A=b", "neither XDG_CACHE_HOME nor HOME is set", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].root && geteuid() != 0) {
            continue;
        }
        struct place p = open_place();
        char environment[256];
        shell(&p, cases[i].prepare);
        snprintf(environment, sizeof environment, "%s TMPDIR=@/t", cases[i].environment);
        const char *out = compile(&p, environment, 0);
        cr_expect(count_of(out, cases[i].message) == 1 && count_of(out, "softmetal: ") == 1,
                  "%s: %s", cases[i].prepare, out);
        cr_expect(files_in(&p, "c") + files_in(&p, "d") + files_in(&p, "t") == 0, "%s",
                  cases[i].prepare);
        close_place(&p);
    }
}

Test(softmetal_cache, home_that_cannot_be_written)
{
    struct place p = open_place();
    uid_t user = geteuid() == 0 ? NOBODY : 0; /* nothing is closed to root */
    shell(&p, "mkdir h && chmod 555 h && mkdir t && chmod 1777 t");
    const char *out = compile(&p, "HOME=@/h TMPDIR=@/t", user);
    cr_expect(count_of(out, "softmetal: ") == 1, "%s", out);
    cr_expect(count_of(out, "compiled kernels go to a temporary folder") == 1, "%s", out);
    cr_expect(files_in(&p, "t") == 0);
    close_place(&p);
}

/* Writes to `line` what a shell command prints. */
static void ask(const struct place *p, const char *command, char *line, int size)
{
    char all[1024];
    snprintf(all, sizeof all, "cd %s && %s", p->folder, command);
    FILE *pipe = popen(all, "r");
    cr_assert(pipe != NULL && fgets(line, size, pipe) != NULL, "%s", command);
    cr_assert(pclose(pipe) == 0, "%s", command);
    line[strcspn(line, "\n")] = '\0';
}

/* `new.so`, which says so when it is loaded; its sum as softmetal writes it. */
static void make_plant(const struct place *p, char sum[33])
{
    char path[128];
    static char bytes[1 << 20];
    shell(p, "printf '#include <stdio.h>\n__attribute__((constructor)) static void f(void) "
             "{ puts(\"PLANTED\"); fflush(stdout); }\n' >new.c && "
             "${SOFTMETAL_CXX:-clang++-19} -x c -shared -fPIC -o new.so new.c");
    snprintf(path, sizeof path, "%s/new.so", p->folder);
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    cr_assert(n > 0 && n < sizeof bytes);
    XXH128_hash_t h = XXH3_128bits(bytes, n);
    snprintf(sum, 33, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
}

/* An object that lies in the cache in place of the one that was compiled. The first of all is
 * loaded: it is the user's own and its sum is right; so the others show what keeps them out. */
Test(softmetal_cache, planted_objects)
{
    static const struct {
        const char *plant;
        bool right_sum, loaded, root;
    } cases[] = {
        {"cp new.so $object", true, true, false},
        {"cp new.so $object", false, false, false},
        {"cp new.so $object && chmod 660 $object", true, false, false},
        {"cp new.so $object && chmod 606 $object", true, false, false},
        {"rm $object && ln -s ../new.so $object", true, false, false},
        {"rm $object && mkfifo $object", true, false, false},
        {"cp new.so $object && chown 65534 $object", true, false, true},
        {"cp new.so $object && chown 65534 $record", true, false, true},
        {"cp new.so $object && chmod 602 $record", true, false, false},
        {"cp new.so $object && mv $record r && ln -s ../r $record", true, false, false},
    };
    struct place p = open_place();
    char sum[33], old[64], command[1024];
    compile(&p, "SOFTMETAL_CACHE=@/warm", 0);
    make_plant(&p, sum);
    ask(&p, "sed -n 's/^object.//p' warm/*.record", old, sizeof old);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].root && geteuid() != 0) {
            continue;
        }
        snprintf(command, sizeof command,
                 "rm -rf c && cp -Rp warm c && object=$(echo c/*.so) record=$(echo c/*.record) && "
                 "sed 's/%s/%s/' $record >r && cp r $record && %s",
                 old, cases[i].right_sum ? sum : old, cases[i].plant);
        shell(&p, command);
        const char *out = compile(&p, "SOFTMETAL_CACHE=@/c", 0);
        cr_expect((count_of(out, "PLANTED") > 0) == cases[i].loaded, "%zu: %s", i, out);
        cr_expect(*compile(&p, "SOFTMETAL_CACHE=@/c", 0) == 'o', "%zu: not mended", i);
        ask(&p, "echo c/*.so", command, sizeof command);
        cr_expect(strchr(command, ' ') == NULL, "%zu: copies are left: %s", i, command);
    }
    close_place(&p);
}
