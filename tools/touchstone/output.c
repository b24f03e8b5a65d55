#include "tools/touchstone/output.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void ts_output_begin(void)
{
    /* the wrong way round, so that reading and writing still fail; what stderr loses nobody misses */
    static const int access[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) == -1 && errno == EBADF) {
            int opened = open("/dev/null", access[stream]); /* the lowest that is free: this one */
            (void)opened;
        }
    }
}

void ts_output_outlive_reader(void)
{
    signal(SIGPIPE, SIG_IGN);
}

int ts_output_end(const char *program, int code)
{
    struct ts_error error;
    const char *reason = NULL;
    errno = 0;
    if (fflush(stdout) != 0) {
        reason = errno == EBADF ? "is closed" : strerror(errno);
    } else if (ferror(stdout)) {
        reason = "not everything could be written";
    }
    if (!reason) {
        return code;
    }
    ts_fail(&error, TS_ERR_ENVIRONMENT, NULL, "standard output: %s", reason);
    int lost = ts_report_as(program, &error);
    return code != 0 ? code : lost;
}
