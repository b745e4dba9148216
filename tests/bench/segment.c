/* What a mask costs beside its network: decode, resize, normalise, scale, encode, next to decoding the same
 * JPEG in full and nothing else, by turns in one run. bench-segment [MODEL [PICTURE [ROUNDS]]]
 * (models/person, .build/photos/astronaut.png, 200) A picture that is no JPEG is scaled to 640 x 480 and made
 * one, quality 90. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "image/resize.h"
#include "tasks/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 640, HEIGHT = 480, QUALITY = 90, MOST = 100000 };

static gh_err e;

static void must(gh_status status)
{
    if (status == GH_OK)
        return;
    fprintf(stderr, "bench-segment: %s\n", e.text);
    exit(EXIT_FAILURE);
}

static void make_jpeg(gh_buf *file)
{
    gh_image_info info;
    gh_image *image = NULL, *small = NULL;
    must(gh_image_probe(&info, file->data, file->len, NULL, &e));
    if (info.format == GH_IMAGE_JPEG)
        return;
    must(gh_image_decode(&image, file->data, file->len, &info, 0, 0, &e));
    must(gh_image_new(&small, WIDTH, HEIGHT, &e));
    must(gh_resize(small->pixels, WIDTH, HEIGHT, image, (gh_rect){0, 0, image->width, image->height},
                   GH_FILTER_BICUBIC, &e));
    gh_buf_free(file);
    must(gh_jpeg_encode_rgb(file, small->pixels, WIDTH, HEIGHT, QUALITY, &e));
    gh_image_free(&image);
    gh_image_free(&small);
}

static double decode_in_full(const gh_buf *file)
{
    gh_image_info info;
    gh_image *image = NULL;
    uint64_t start = gh_now_ns();
    must(gh_image_probe(&info, file->data, file->len, NULL, &e));
    must(gh_image_decode(&image, file->data, file->len, &info, 0, 0, &e));
    gh_image_free(&image);
    return (double)(gh_now_ns() - start) / 1e6;
}

static int by_value(const void *left, const void *right)
{
    const double *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

enum { FULL, DECODE, PREPROC, ENCODE, NETWORK, COLUMNS };

static void measure(double *ms[COLUMNS], int i, gh_worker *w, gh_model *m, const gh_buf *file,
                    gh_mask_output output)
{
    const gh_run_options options = {.output = output};
    gh_result *r = NULL;
    ms[FULL][i] = decode_in_full(file);
    must(gh_run(&r, w, m, file->data, file->len, NULL, &options, &e));
    ms[DECODE][i] = r->decode_ms;
    ms[PREPROC][i] = r->preproc_ms;
    ms[ENCODE][i] = r->encode_ms;
    ms[NETWORK][i] = r->infer_ms;
    gh_result_free(&r);
}

static void bench(gh_worker *w, gh_model *m, const gh_buf *file, int rounds, gh_mask_output output)
{
    double *ms[COLUMNS], mid[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        if (!(ms[c] = gh_calloc((size_t)rounds, sizeof **ms)))
            must(gh_fail(&e, GH_NOMEM, "memory ran out"));
    for (int i = 0; i < rounds; i++)
        measure(ms, i, w, m, file, output);
    for (int c = 0; c < COLUMNS; c++) {
        mid[c] = median(ms[c], rounds);
        gh_free(ms[c]);
    }
    double sum = mid[DECODE] + mid[PREPROC] + mid[ENCODE];
    printf("%-8s %9.3f %9.3f %9.3f %9.3f %9.3f %9.2f %9.3f\n", gh_mask_output_words[output], mid[FULL],
           mid[DECODE], mid[PREPROC], mid[ENCODE], sum, sum / mid[FULL], mid[NETWORK]);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "models/person";
    const char *path = argc > 2 ? argv[2] : ".build/photos/astronaut.png";
    int rounds = argc > 3 ? atoi(argv[3]) : 200;
    gh_buf file = {0};
    gh_model *m = NULL;
    gh_worker *w = NULL;
    if (rounds < 1 || rounds > MOST)
        must(gh_fail(&e, GH_ARG, "%s rounds; 1 to %d are accepted", argv[3], MOST));
    must(gh_model_open(&m, folder, false, &e));
    must(gh_file_read(&file, path, (size_t)64 << 20, &e));
    make_jpeg(&file);
    must(gh_worker_new(&w, NULL, &e));
    printf("%s, %s as JPEG of %zu bytes; medians of %d rounds in ms, one thread\n", folder, path, file.len,
           rounds);
    printf("%-8s %9s %9s %9s %9s %9s %9s %9s\n", "output", "full", "decode", "resize", "mask", "sum",
           "sum/full", "network");
    for (int o = 0; o < GH_MASK_OUTPUTS; o++)
        if (argc < 5 || strcmp(argv[4], gh_mask_output_words[o]) == 0)
            bench(w, m, &file, rounds, (gh_mask_output)o);
    gh_worker_free(&w);
    gh_model_put(&m);
    gh_buf_free(&file);
    return 0;
}
