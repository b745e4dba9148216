/* Fits one head on a dump of features and scores what it left out, for heads.py to set beside scikit-learn.
 *   bench-heads DUMP HEAD FOLD THREADS [L2 [TREES]]
 * DUMP: uint32 rows, width, classes; uint32 labels[rows], folds[rows]; float32 features[rows][width]. Trains
 * on all folds but FOLD; prints "milliseconds-of-fit cpu-milliseconds right count". */
#include "base/cpu.h"
#include "base/mem.h"
#include "train/heads/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct dump {
    uint32_t n, width, classes;
    uint32_t *label, *fold;
    float *x;
} dump;

/* Of one side of a fold. */
typedef struct side {
    gh_rows rows;
    uint32_t *label;
    float *x;
} side;

static void give_up(const char *why)
{
    fprintf(stderr, "bench-heads: %s\n", why);
    exit(EXIT_FAILURE);
}

static void *get(FILE *f, size_t n, size_t size)
{
    void *p = gh_calloc(n, size);
    if (!p || fread(p, size, n, f) != n)
        give_up("the dump is too short, or memory ran out");
    return p;
}

static dump read_dump(const char *path)
{
    dump d;
    FILE *f = fopen(path, "rb");
    if (!f)
        give_up("the dump cannot be opened");
    uint32_t *head = get(f, 3, sizeof *head);
    d = (dump){.n = head[0], .width = head[1], .classes = head[2]};
    gh_free(head);
    d.label = get(f, d.n, sizeof *d.label);
    d.fold = get(f, d.n, sizeof *d.fold);
    d.x = get(f, (size_t)d.n * d.width, sizeof *d.x);
    fclose(f);
    return d;
}

static side take(const dump *d, uint32_t fold, bool inside)
{
    side s = {.label = gh_calloc(d->n, sizeof(uint32_t)),
              .x = gh_calloc(d->n, (size_t)d->width * sizeof(float))};
    size_t n = 0;
    if (!s.label || !s.x)
        give_up("memory ran out");
    for (uint32_t i = 0; i < d->n; i++)
        if ((d->fold[i] == fold) == inside) {
            memcpy(s.x + n * d->width, d->x + (size_t)i * d->width, d->width * sizeof(float));
            s.label[n++] = d->label[i];
        }
    s.rows = (gh_rows){.x = s.x, .n = n, .width = d->width, .classes = d->classes, .label = s.label};
    return s;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t count_right(const gh_rows *rows, const float *scores)
{
    size_t right = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const float *s = scores + i * rows->classes;
        uint32_t best = 0;
        for (uint32_t c = 1; c < rows->classes; c++)
            best = s[c] > s[best] ? c : best;
        right += best == rows->label[i];
    }
    return right;
}

int main(int argc, char **argv)
{
    gh_err e = {0};
    gh_pool *pool = NULL;
    gh_head *head = NULL;
    if (argc < 5)
        give_up("DUMP HEAD FOLD THREADS [L2 [TREES]]");
    const gh_head_type *type = gh_head_type_find(argv[2]);
    if (!type)
        give_up("no such head");
    if (gh_pool_new(&pool, atoi(argv[4]), &e) != GH_OK)
        give_up(e.text);
    dump d = read_dump(argv[1]);
    uint32_t fold = (uint32_t)atoi(argv[3]);
    side train = take(&d, fold, false), held = take(&d, fold, true);
    gh_fit_options o = {.seed = 1,
                        .pool = pool,
                        .l2 = argc > 5 ? (float)atof(argv[5]) : 0,
                        .trees = argc > 6 ? atoi(argv[6]) : 0};
    float *scores = gh_calloc(held.rows.n + 1, d.classes * sizeof *scores);
    double cpu = cpu_ms();
    uint64_t start = gh_now_ns();
    if (!scores || type->fit(&head, &train.rows, &o, &e) != GH_OK)
        give_up(e.text);
    double wall = (double)(gh_now_ns() - start) / 1e6;
    cpu = cpu_ms() - cpu;
    if (type->predict(scores, head, held.x, held.rows.n, pool, &e) != GH_OK)
        give_up(e.text);
    printf("%.3f %.3f %zu %zu\n", wall, cpu, count_right(&held.rows, scores), held.rows.n);
    type->free(head);
    gh_pool_free(&pool);
    gh_free(scores);
    gh_free(train.x);
    gh_free(train.label);
    gh_free(held.x);
    gh_free(held.label);
    gh_free(d.x);
    gh_free(d.label);
    gh_free(d.fold);
    return EXIT_SUCCESS;
}
