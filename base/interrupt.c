/* The state is the process's own handling of SIGINT, which delivery resets to the default. So no
 * variable is shared with a signal handler. */
#include "base/interrupt.h"

#include <signal.h>
#include <string.h>

static void on_interrupt(int signal)
{
    (void)signal; /* that it was called is visible: it is installed no more */
}

void ts_catch_interrupts(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_interrupt;
    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

bool ts_interrupted(void)
{
    struct sigaction now;
    return sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}
