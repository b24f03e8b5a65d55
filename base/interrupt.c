#include "base/interrupt.h"

#include <signal.h>
#include <string.h>

/* A variable of the whole program, because a signal handler can reach nothing else. */
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void ts_catch_interrupts(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND; /* the second one meets the system's own handling */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool ts_interrupted(void)
{
    return interrupted != 0;
}
