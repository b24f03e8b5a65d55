/* It is started without a shell, reads its commands from a file without a name and
 * writes the picture to its standard output, so no path or name is ever a command. */
#include "bench/report/gnuplot.h"

#include "bench/report/html.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char GNUPLOT_HINT[] =
    "install gnuplot (Debian: gnuplot-nox), then run touchstone report on the run's folder";

/* Starts gnuplot with its three streams and waits for it; 0 or an errno. */
static int run_gnuplot(FILE *script, FILE *picture, FILE *messages, int *status)
{
    char name[] = "gnuplot", defaults[] = "--default-settings";
    char *const argv[] = {name, defaults, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int reason = posix_spawn_file_actions_init(&actions);
    if (reason != 0) {
        return reason;
    }
    FILE *const streams[] = {script, picture, messages};
    for (int i = 0; i < 3 && reason == 0; i++) {
        reason = posix_spawn_file_actions_adddup2(&actions, fileno(streams[i]), i);
    }
    reason = reason ? reason : posix_spawnp(&child, name, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (reason == 0 && waitpid(child, status, 0) < 0) {
        reason = errno == EINTR ? 0 : errno;
    }
    return reason;
}

/* The first line that gnuplot complained in, cleaned for a message. */
static void first_complaint(FILE *messages, char *text, size_t size)
{
    char line[256];
    text[0] = '\0';
    rewind(messages);
    while (fgets(line, sizeof line, messages)) {
        line[strcspn(line, "\n")] = '\0';
        if (strspn(line, " \t^") < strlen(line) && strncmp(line, "gnuplot>", 8) != 0) {
            ts_clean_text(text, size, 160, line);
            return;
        }
    }
}

static bool judge(int reason, int status, FILE *messages, const char *path, struct ts_error *error)
{
    char complaint[200];
    if (reason != 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
        return ts_fail(error, TS_ERR_ENVIRONMENT, GNUPLOT_HINT, "no charts: gnuplot: %s",
                       reason == 0 || reason == ENOENT ? "no such program in PATH"
                                                       : strerror(reason));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return true;
    }
    first_complaint(messages, complaint, sizeof complaint);
    return ts_fail(error, TS_ERR_ENVIRONMENT, GNUPLOT_HINT, "%s: gnuplot failed: %s", path,
                   complaint[0] ? complaint : "it gives no reason");
}

/* Draws into a file beside the wanted one and moves it there when it is whole. */
static bool draw(const char *path, ts_script_fn *fn, const void *context,
                 enum ts_chart_format format, struct ts_error *error)
{
    size_t size = strlen(path) + 32;
    char *part = malloc(size);
    if (!part) {
        return ts_fail_memory(error, path, size);
    }
    snprintf(part, size, "%s.%ld", path, (long)getpid());
    FILE *script = tmpfile(), *messages = script ? tmpfile() : NULL;
    FILE *picture = messages ? fopen(part, "wb") : NULL;
    bool ok = picture != NULL;
    if (!ok) {
        ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: %s", messages ? path : "a temporary file",
                strerror(errno));
    } else {
        int status = 0;
        if (!fn(script, format, context)) {
            ok = ts_fail_memory(error, path, 0);
        } else if (fflush(script) != 0 || ferror(script)) {
            ok = ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "a temporary file: %s", strerror(errno));
        }
        rewind(script);
        int reason = ok ? run_gnuplot(script, picture, messages, &status) : 0;
        ok = ok && judge(reason, status, messages, path, error);
        /* gnuplot does not notice a full disk */
        if (ok && fseek(picture, 0, SEEK_END) == 0 && ftell(picture) == 0) {
            ok = ts_fail(error, TS_ERR_ENVIRONMENT,
                         "free disk space, then draw it with touchstone report",
                         "%s: gnuplot wrote nothing", path);
        }
    }
    FILE *const files[] = {picture, script, messages};
    for (int i = 0; i < 3; i++) {
        if (files[i]) {
            fclose(files[i]);
        }
    }
    if (ok && rename(part, path) != 0) {
        ok = ts_fail(error, TS_ERR_ENVIRONMENT, NULL, "%s: %s", path, strerror(errno));
    }
    if (!ok && picture) {
        unlink(part);
    }
    free(part);
    return ok;
}

bool ts_gnuplot_draw(const char *dir, const char *name, ts_script_fn *fn, const void *context,
                     bool *drawn, struct ts_error *error)
{
    static const char *const endings[] = {"svg", "png"};
    size_t size = strlen(dir) + strlen(name) + 8;
    char *path = malloc(size);
    bool ok = path != NULL || ts_fail_memory(error, dir, size);
    *drawn = ok && fn != NULL;
    for (unsigned i = 0; i < 2 && ok; i++) {
        snprintf(path, size, "%s/%s.%s", dir, name, endings[i]);
        if (*drawn) {
            ok = draw(path, fn, context, (enum ts_chart_format)i, error);
        } else {
            unlink(path);
        }
    }
    *drawn = *drawn && ok;
    free(path);
    return ok;
}

void ts_gnuplot_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'.\"'\".'", out);
        } else {
            fputc(*text, out);
        }
    }
    fputc('\'', out);
}

void ts_gnuplot_terminal(const struct ts_canvas *canvas, const char *name)
{
    if (canvas->format == TS_CHART_SVG) {
        fprintf(canvas->out,
                "set terminal svg size %.0f,%.0f noenhanced font 'sans-serif,13' "
                "background rgb 'white' name '%s'\n",
                canvas->width, canvas->height, name);
    } else {
        fprintf(canvas->out,
                "set terminal pngcairo size %.0f,%.0f noenhanced font 'sans-serif,9.75' "
                "fontscale 1.5 linewidth 1.5 pointscale 1.5 background rgb 'white'\n",
                canvas->width * 1.5, canvas->height * 1.5);
    }
}

void ts_gnuplot_label(const struct ts_canvas *canvas, double x, double y, const char *align,
                      double size, const char *colour, const char *text)
{
    /* a font's size is in pixels in SVG, and in points of 1/72 inch at 96 dpi in PNG */
    double points = canvas->format == TS_CHART_SVG ? size : size * 0.75;
    fputs("set label ", canvas->out);
    ts_gnuplot_quoted(canvas->out, text);
    fprintf(canvas->out,
            " at screen %.5f,%.5f %s noenhanced font ',%.4g' textcolor rgb '#%s' front\n",
            x / canvas->width, 1 - y / canvas->height, align, points, colour);
}
