// The lint as a program of its own.
#include "lint.h"

int main(int argc, char **argv)
{
    return softmetal_lint(argc, argv);
}
