/* Matrices of Winograd's minimal filtering F(m x m, 3 x 3) as used for convolution by Lavin and Gray 2016:
 * Y = A^T [(G g G^T) . (B^T d B)] A for a tile d of m + 2 pixels a side and a window g. Interpolation points:
 * 0, 1, -1 and infinity; 2 and -2 from F(4x4) on; 1/2 and -1/2 in F(6x6). */
#ifndef GH_KERNELS_WINOGRAD_H
#define GH_KERNELS_WINOGRAD_H

enum { WINOGRAD_MOST = 8 }; /* pixels of the widest tile */

typedef struct gh_winograd {
    int m, tile;                                    /* outputs and inputs along a side */
    float input[WINOGRAD_MOST][WINOGRAD_MOST];      /* B^T */
    double weights[WINOGRAD_MOST][3];               /* G */
    float output[WINOGRAD_MOST - 2][WINOGRAD_MOST]; /* A^T */
} gh_winograd;

static const gh_winograd gh_winograd_2 = {
    2,
    4,
    {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
    {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
    {{1, 1, 1, 0}, {0, 1, -1, -1}},
};

static const gh_winograd gh_winograd_4 = {
    4,
    6,
    {{4, 0, -5, 0, 1, 0},
     {0, -4, -4, 1, 1, 0},
     {0, 4, -4, -1, 1, 0},
     {0, -2, -1, 2, 1, 0},
     {0, 2, -1, -2, 1, 0},
     {0, 4, 0, -5, 0, 1}},
    {{1. / 4, 0, 0},
     {-1. / 6, -1. / 6, -1. / 6},
     {-1. / 6, 1. / 6, -1. / 6},
     {1. / 24, 1. / 12, 1. / 6},
     {1. / 24, -1. / 12, 1. / 6},
     {0, 0, 1}},
    {{1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}},
};

static const gh_winograd gh_winograd_6 = {
    6,
    8,
    {{1, 0, -5.25f, 0, 5.25f, 0, -1, 0},
     {0, 1, 1, -4.25f, -4.25f, 1, 1, 0},
     {0, -1, 1, 4.25f, -4.25f, -1, 1, 0},
     {0, 0.5f, 0.25f, -2.5f, -1.25f, 2, 1, 0},
     {0, -0.5f, 0.25f, 2.5f, -1.25f, -2, 1, 0},
     {0, 2, 4, -2.5f, -5, 0.5f, 1, 0},
     {0, -2, 4, 2.5f, -5, -0.5f, 1, 0},
     {0, -1, 0, 5.25f, 0, -5.25f, 0, 1}},
    {{1, 0, 0},
     {-2. / 9, -2. / 9, -2. / 9},
     {-2. / 9, 2. / 9, -2. / 9},
     {1. / 90, 1. / 45, 2. / 45},
     {1. / 90, -1. / 45, 2. / 45},
     {32. / 45, 16. / 45, 8. / 45},
     {32. / 45, -16. / 45, 8. / 45},
     {0, 0, 1}},
    {{1, 1, 1, 1, 1, 1, 1, 0},
     {0, 1, -1, 2, -2, 0.5f, -0.5f, 0},
     {0, 1, 1, 4, 4, 0.25f, 0.25f, 0},
     {0, 1, -1, 8, -8, 0.125f, -0.125f, 0},
     {0, 1, 1, 16, 16, 0.0625f, 0.0625f, 0},
     {0, 1, -1, 32, -32, 0.03125f, -0.03125f, 1}},
};

#endif
