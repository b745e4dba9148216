/* What a large JPEG costs before a network sees it: decoding at the DCT scale that the model's input allows,
 * and resizing, next to decoding in full and resizing, by turns in one run; one thread.
 * bench-decode [ROUNDS [PICTURE [MODEL...]]] (15; a mosaic of .build/photos with 12 megapixels, 4:2:0,
 * quality 90; every model of models/ that takes pictures). Only manifests are read, so that no model need be
 * there. */
#include "base/cpu.h"
#include "base/file.h"
#include "base/mem.h"
#include "tasks/preproc.h"
#include "tasks/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 4000, HEIGHT = 3000, QUALITY = 90, MOST = 10000 };

static gh_err e;

static void must(gh_status status)
{
    if (status == GH_OK)
        return;
    fprintf(stderr, "bench-decode: %s\n", e.text);
    exit(EXIT_FAILURE);
}

/* Photos side by side at their own size, so that the detail of each pixel is that of a photo. */
static void make_mosaic(gh_buf *file)
{
    static const char *const names[] = {"motorcycle_left.png", "chelsea.png", "coffee.png", "astronaut.png",
                                        "rocket.jpg"};
    gh_image *all = NULL, *photos[GH_COUNT(names)] = {NULL};
    must(gh_image_new(&all, WIDTH, HEIGHT, &e));
    for (size_t i = 0; i < GH_COUNT(names); i++) {
        char path[64];
        gh_buf bytes = {0};
        gh_image_info info;
        snprintf(path, sizeof path, ".build/photos/%s", names[i]);
        must(gh_file_read(&bytes, path, (size_t)64 << 20, &e));
        must(gh_image_probe(&info, bytes.data, bytes.len, NULL, &e));
        must(gh_image_decode(&photos[i], bytes.data, bytes.len, &info, 0, 0, &e));
        gh_buf_free(&bytes);
    }
    for (int tile = 0; tile < 8 * 8; tile++) {
        const gh_image *photo = photos[(size_t)tile % GH_COUNT(names)];
        for (int y = 0; y < HEIGHT / 8; y++)
            for (int x = 0; x < WIDTH / 8; x++) { /* the smallest photos repeat */
                size_t from = (size_t)(y % photo->height) * (size_t)photo->width + (size_t)(x % photo->width);
                size_t to = (size_t)(tile / 8 * HEIGHT / 8 + y) * WIDTH + (size_t)(tile % 8 * WIDTH / 8 + x);
                memcpy(all->pixels + to * 3, photo->pixels + from * 3, 3);
            }
    }
    must(gh_jpeg_encode_rgb(file, all->pixels, WIDTH, HEIGHT, QUALITY, &e));
    for (size_t i = 0; i < GH_COUNT(names); i++)
        gh_image_free(&photos[i]);
    gh_image_free(&all);
}

typedef struct bench {
    const gh_buf *file;
    gh_manifest_input in; /* with the size for this picture */
    gh_tensor tensor;
    uint8_t *scratch;
    int scale; /* of the decoded picture: 1, 2, 4 or 8 */
} bench;

/* Milliseconds. */
static double decode_and_resize(bench *b, bool in_full)
{
    gh_image_info info;
    gh_image *image = NULL;
    int min_width = 0, min_height = 0;
    uint64_t start = gh_now_ns();
    must(gh_image_probe(&info, b->file->data, b->file->len, NULL, &e));
    if (!in_full)
        gh_preproc_min_size(&min_width, &min_height, &b->in, info.width, info.height);
    must(gh_image_decode(&image, b->file->data, b->file->len, &info, min_width, min_height, &e));
    must(gh_preproc_run(&b->tensor, image, &b->in, b->scratch, &e));
    double ms = (double)(gh_now_ns() - start) / 1e6;
    b->scale = image->full_width / image->width;
    gh_image_free(&image);
    return ms;
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

static void measure(const gh_manifest *m, const gh_buf *file, int rounds)
{
    gh_image_info info;
    bench b = {.file = file, .in = m->input};
    double *full = gh_calloc((size_t)rounds, sizeof *full),
           *scaled = gh_calloc((size_t)rounds, sizeof *scaled);
    must(gh_image_probe(&info, file->data, file->len, NULL, &e));
    gh_preproc_choose(&b.in, info.width, info.height, 0);
    size_t pixels = (size_t)b.in.width * (size_t)b.in.height;
    b.scratch = gh_alloc(pixels * 3);
    b.tensor = (gh_tensor){.type = GH_F32,
                           .shape = gh_shape_of(4, (int64_t[]){1, 3, b.in.height, b.in.width}),
                           .data = gh_alloc_aligned(pixels * 3 * sizeof(float))};
    if (!full || !scaled || !b.scratch || !b.tensor.data)
        must(gh_fail(&e, GH_NOMEM, "memory ran out"));
    for (int i = 0; i < rounds; i++) {
        full[i] = decode_and_resize(&b, true);
        scaled[i] = decode_and_resize(&b, false);
    }
    double f = median(full, rounds), s = median(scaled, rounds);
    printf("%-20s %4d x %-5d 1/%-5d %9.1f %9.1f %9.2f\n", m->name, b.in.width, b.in.height, b.scale, f, s,
           s / f);
    gh_free(full);
    gh_free(scaled);
    gh_free(b.scratch);
    gh_free(b.tensor.data);
}

static void measure_folder(const char *folder, const gh_buf *file, int rounds)
{
    gh_manifest *m = NULL;
    must(gh_manifest_read(&m, folder, &e));
    if (m->input.width)
        measure(m, file, rounds);
    gh_manifest_free(&m);
}

int main(int argc, char **argv)
{
    static const char *const dirs[] = {"models"};
    int rounds = argc > 1 ? atoi(argv[1]) : 15;
    gh_buf file = {0};
    char **folders = NULL;
    size_t count = 0;
    if (rounds < 1 || rounds > MOST)
        must(gh_fail(&e, GH_ARG, "%s rounds; 1 to %d are accepted", argv[1], MOST));
    if (argc > 2)
        must(gh_file_read(&file, argv[2], (size_t)64 << 20, &e));
    else
        make_mosaic(&file);
    printf("a JPEG of %.1f MB; decoding and resizing, medians of %d rounds in ms, one thread\n",
           (double)file.len / 1e6, rounds);
    printf("%-20s %-12s %-7s %9s %9s %9s\n", "model", "input", "scale", "in full", "scaled", "ratio");
    if (argc > 3)
        for (int i = 3; i < argc; i++)
            measure_folder(argv[i], &file, rounds);
    else
        must(gh_scan_models(&folders, &count, dirs, 1, &e));
    for (size_t i = 0; i < count; i++)
        measure_folder(folders[i], &file, rounds);
    gh_scan_free(&folders, count);
    gh_buf_free(&file);
    return 0;
}
