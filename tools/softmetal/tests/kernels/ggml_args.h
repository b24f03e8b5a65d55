// Shared by host and kernels, as that style has it.
#ifndef GGML_ARGS_H
#define GGML_ARGS_H

#define FC_MATVEC 100
#define FC_MATMUL 200

struct matvec_args {
    int rows;
    int columns;
    unsigned long row_bytes;
};

struct matmul_args {
    int m, n, k;
    unsigned long row_bytes;
};

#endif
