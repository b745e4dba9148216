/* The lecture's experiment: a body that never saw some classes is reused for them. Accuracy on a test part
 * over the number of pictures a class, for a head on the pretrained body, a head on the same body with random
 * weights, and the nearest neighbours of raw pixels.
 *
 *   .build/transfer DATA MODEL OUT     DATA/{train,test}/<class>/, a model folder, a folder for table and
 * plot */
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/onnx.h"
#include "train/classify/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED    1
#define PIECE   10 /* pictures a class in the smallest set */
#define POINTS  5
#define SIDE    32 /* pixels of a picture for the neighbours */
#define NEAREST 5

static const uint32_t sizes[POINTS] = {10, 20, 50, 100, 500};

typedef struct experiment {
    const gh_trainset *set;
    gh_pool *pool;
    uint32_t *fold, *piece; /* of each example: 0 = test part; which tenth-of-a-hundred it is in */
    bool *use;
    double accuracy[3][POINTS];
    gh_err err;
} experiment;

static void must(gh_status status, const gh_err *e)
{
    if (status) {
        fprintf(stderr, "transfer: %s\n", e->text);
        exit(1);
    }
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "transfer: memory ran out\n");
        exit(1);
    }
    return p;
}

/* The same network with seeded normal weights of deviation sqrt(2 / fan-in) (He et al. 2015) and no biases.
 */
static void write_random(const char *from, const char *folder, gh_err *e)
{
    gh_graph *g = NULL;
    gh_rng rng;
    char *in = need(gh_path_join(from, "model.onnx")), *out = need(gh_path_join(folder, "model.onnx"));
    char *manifest = need(gh_path_join(from, "model.json")), *copy = need(gh_path_join(folder, "model.json"));
    char *labels = need(gh_path_join(from, "labels.txt")),
         *labels_copy = need(gh_path_join(folder, "labels.txt"));
    gh_buf text = {0}, names = {0};
    must(gh_dir_make(folder, e), e);
    must(gh_onnx_read(&g, in, e), e);
    gh_rng_seed(&rng, SEED);
    for (uint32_t v = 0; v < g->nvalues; v++) {
        gh_value *value = &g->values[v];
        size_t count = 0;
        if (!value->data || value->type != GH_F32 || !gh_shape_count(&count, &value->shape) ||
            value->shape.rank == 0)
            continue;
        float *w = need(gh_arena_array(g->arena, count + 1, sizeof *w));
        double deviation =
            value->shape.rank > 1 ? sqrt(2.0 * (double)value->shape.dims[0] / (double)count) : 0;
        for (size_t i = 0; i < count; i++)
            w[i] = (float)deviation * gh_rng_normal(&rng);
        value->data = w;
    }
    must(gh_onnx_write(g, out, e), e);
    must(gh_file_read(&text, manifest, 1 << 20, e), e);
    must(gh_file_write(copy, text.data, text.len, e), e);
    must(gh_file_read(&names, labels, 1 << 20, e), e);
    must(gh_file_write(labels_copy, names.data, names.len, e), e);
    gh_graph_free(&g);
    gh_buf_free(&text);
    gh_buf_free(&names);
    gh_free(in), gh_free(out), gh_free(manifest), gh_free(copy), gh_free(labels), gh_free(labels_copy);
}

/* Marks the test part and the first `size` training pictures of each class. */
static void choose(experiment *x, uint32_t size)
{
    for (uint32_t i = 0; i < x->set->nexamples; i++)
        x->use[i] = x->fold[i] == 0 || x->piece[i] < size / PIECE;
}

static void head_row(experiment *x, int row, const char *model)
{
    gh_body *body = NULL;
    gh_features *f = NULL;
    gh_features_options options = {.pool = x->pool, .progress = true};
    must(gh_body_open(&body, model, NULL, &x->err), &x->err);
    must(gh_features_make(&f, body, x->set, &options, &x->err), &x->err);
    for (int p = 0; p < POINTS; p++) {
        gh_heldout *h = NULL;
        gh_task_data d = {.set = x->set,
                          .features = f,
                          .fold = x->fold,
                          .folds = 1,
                          .use = x->use,
                          .fit = {.seed = SEED, .pool = x->pool, .quiet = true}};
        size_t right = 0;
        choose(x, sizes[p]);
        must(gh_validate(&h, &d, gh_head_type_find("softmax"), false, &x->err), &x->err);
        for (size_t i = 0; i < h->n; i++) {
            uint32_t best = 0;
            for (uint32_t c = 1; c < h->classes; c++)
                best = h->logits[i * h->classes + c] > h->logits[i * h->classes + best] ? c : best;
            right += best == h->label[i];
        }
        x->accuracy[row][p] = (double)right / (double)h->n;
        gh_heldout_free(&h);
    }
    gh_features_free(&f);
    gh_body_free(&body);
}

/* Every picture at SIDE x SIDE, 0..1, row after row. */
static float *read_pixels(experiment *x)
{
    const gh_manifest_input in = {.width = SIDE, .height = SIDE, .scale = {1, 1, 1}, .fit = GH_FIT_STRETCH};
    size_t width = (size_t)SIDE * SIDE * 3;
    float *all = need(gh_alloc(x->set->nexamples * width * sizeof *all));
    uint8_t *pixels = need(gh_alloc(width));
    for (uint32_t i = 0; i < x->set->nexamples; i++) {
        gh_buf file = {0};
        gh_image_info info;
        gh_image *image = NULL;
        must(gh_file_read(&file, x->set->examples[i].path, 1 << 24, &x->err), &x->err);
        must(gh_image_probe(&info, file.data, file.len, NULL, &x->err), &x->err);
        must(gh_image_decode(&image, file.data, file.len, &info, 0, 0, &x->err), &x->err);
        must(gh_view_make(pixels, image, &in, 0, 0, 0, &x->err), &x->err);
        for (size_t k = 0; k < width; k++)
            all[i * width + k] = pixels[k] / 255.0f;
        gh_image_free(&image);
        gh_buf_free(&file);
    }
    gh_free(pixels);
    return all;
}

/* The label that most of the nearest training pictures have (Euclidean distance); ties to the nearer. */
static uint32_t vote(const experiment *x, const float *all, uint32_t at)
{
    size_t width = (size_t)SIDE * SIDE * 3;
    float nearest[NEAREST];
    uint32_t label[NEAREST], best = 0, most = 0;
    int n = 0;
    for (uint32_t i = 0; i < x->set->nexamples; i++) {
        if (x->fold[i] == 0 || !x->use[i])
            continue;
        float d = 0;
        for (size_t k = 0; k < width; k++)
            d += (all[i * width + k] - all[at * width + k]) * (all[i * width + k] - all[at * width + k]);
        int place = n < NEAREST ? n++ : NEAREST;
        for (; place > 0 && nearest[place - 1] > d; place--)
            if (place < NEAREST) {
                nearest[place] = nearest[place - 1];
                label[place] = label[place - 1];
            }
        if (place < NEAREST) {
            nearest[place] = d;
            label[place] = x->set->examples[i].label;
        }
    }
    for (int i = 0; i < n; i++) {
        uint32_t same = 0;
        for (int k = 0; k < n; k++)
            same += label[k] == label[i];
        if (same > most) {
            most = same;
            best = label[i];
        }
    }
    return best;
}

static void pixel_row(experiment *x, int row)
{
    float *all = read_pixels(x);
    for (int p = 0; p < POINTS; p++) {
        size_t right = 0, n = 0;
        choose(x, sizes[p]);
        for (uint32_t i = 0; i < x->set->nexamples; i++)
            if (x->fold[i] == 0) {
                right += vote(x, all, i) == x->set->examples[i].label;
                n++;
            }
        x->accuracy[row][p] = (double)right / (double)n;
    }
    gh_free(all);
}

static const char *const rows[3] = {"head on the pretrained body", "head on the body with random weights",
                                    "5 nearest neighbours of pixels"};

static void write_plot(const experiment *x, const char *folder)
{
    static const char *const colours[3] = {"#1b6e3c", "#b0672a", "#5a6a8a"};
    gh_buf svg = {0};
    gh_err e = {0};
    char *path = need(gh_path_join(folder, "transfer.svg"));
    gh_buf_str(&svg,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 380\" font-family=\"sans-serif\" "
               "font-size=\"13\"><rect width=\"640\" height=\"380\" fill=\"#fff\"/>\n");
    for (int y = 0; y <= 100; y += 20)
        gh_buf_printf(&svg,
                      "<path d=\"M60 %d H620\" stroke=\"#ddd\"/><text x=\"52\" y=\"%d\" "
                      "text-anchor=\"end\">%d %%</text>\n",
                      320 - 3 * y, 324 - 3 * y, y);
    for (int p = 0; p < POINTS; p++)
        gh_buf_printf(&svg, "<text x=\"%d\" y=\"342\" text-anchor=\"middle\">%u</text>\n", 80 + 130 * p,
                      sizes[p]);
    gh_buf_str(&svg, "<text x=\"340\" y=\"366\" text-anchor=\"middle\">pictures a class</text>\n");
    for (int r = 0; r < 3; r++) {
        gh_buf_printf(&svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" points=\"",
                      colours[r]);
        for (int p = 0; p < POINTS; p++)
            gh_buf_printf(&svg, "%d,%.1f ", 80 + 130 * p, 320 - 300 * x->accuracy[r][p]);
        gh_buf_printf(&svg, "\"/><text x=\"600\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">%s</text>\n",
                      (r == 2 ? 340 : 308) - 300 * x->accuracy[r][POINTS - 1], colours[r],
                      rows[r]); /* the last under its line */
    }
    gh_buf_str(&svg, "</svg>\n");
    must(gh_file_write(path, svg.data, svg.len, &e), &e);
    gh_buf_free(&svg);
    gh_free(path);
}

static void print_table(const experiment *x)
{
    printf("| pictures a class |");
    for (int p = 0; p < POINTS; p++)
        printf(" %u |", sizes[p]);
    printf("\n| --- |");
    for (int p = 0; p < POINTS; p++)
        printf(" --- |");
    for (int r = 0; r < 3; r++) {
        printf("\n| %s |", rows[r]);
        for (int p = 0; p < POINTS; p++)
            printf(" %.1f %% |", 100 * x->accuracy[r][p]);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    experiment x = {0};
    gh_trainset *set = NULL;
    if (argc != 4) {
        fprintf(stderr, "usage: transfer DATA MODEL OUT\n");
        return 2;
    }
    char *random = need(gh_path_join(argv[3], "random"));
    must(gh_pool_new(&x.pool, 0, &x.err), &x.err);
    must(gh_trainset_open(&set, argv[1], &(gh_trainset_options){.pool = x.pool}, &x.err), &x.err);
    x.set = set;
    x.fold = need(gh_calloc(set->nexamples, sizeof *x.fold));
    x.piece = need(gh_calloc(set->nexamples, sizeof *x.piece));
    x.use = need(gh_calloc(set->nexamples, sizeof *x.use));
    uint32_t most = 0;
    for (uint32_t i = 0; i < set->nexamples; i++) {
        x.fold[i] = set->examples[i].split == GH_SPLIT_TEST ? 0 : UINT32_MAX;
        x.use[i] = x.fold[i] != 0;
        most += x.use[i];
    }
    must(gh_trainset_folds(x.piece, set, x.use, most / set->nclasses / PIECE, SEED, &x.err), &x.err);
    write_random(argv[2], random, &x.err);
    head_row(&x, 0, argv[2]);
    head_row(&x, 1, random);
    pixel_row(&x, 2);
    print_table(&x);
    write_plot(&x, argv[3]);
    gh_trainset_free(&set);
    gh_pool_free(&x.pool);
    gh_free(x.fold), gh_free(x.piece), gh_free(x.use), gh_free(random);
    return 0;
}
