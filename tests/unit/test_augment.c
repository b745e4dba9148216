/* Augmentation: the mask and the boxes follow the picture, and chance comes from the generator alone. */
#include "unit/suites.h"

#include "base/mem.h"
#include "train/augment/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 160, HEIGHT = 120, SIDE = 96, SEEDS = 200 };

/* A bright rectangle on dark ground: the picture, its mask and its box. */
static const gh_ap_rect place = {50, 30, 60, 50};
static gh_image *image;
static uint8_t mask[WIDTH * HEIGHT], pixels[SIDE * SIDE * 3], found[SIDE * SIDE];
static gh_augment_box box;
static const gh_manifest_input in = {.width = SIDE,
                                     .height = SIDE,
                                     .mean = {127, 127, 127},
                                     .scale = {1, 1, 1},
                                     .fit = GH_FIT_STRETCH,
                                     .crop = 1};
static gh_err e;

static void setup(void)
{
    e = (gh_err){0};
    ck_assert_int_eq(gh_image_new(&image, WIDTH, HEIGHT, &e), GH_OK);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            bool inside = x >= place.x && x < place.x + place.w && y >= place.y && y < place.y + place.h;
            uint8_t *p = image->pixels + (y * WIDTH + x) * 3;
            p[0] = inside ? 220 : 40;
            p[1] = (uint8_t)(x + 20);
            p[2] = (uint8_t)(y + 20);
            mask[y * WIDTH + x] = inside;
        }
}

static void teardown(void)
{
    gh_image_free(&image);
}

static void make(const char *text, uint64_t seed)
{
    gh_augment a;
    gh_rng rng;
    gh_rng_seed(&rng, seed);
    ck_assert_msg(gh_augment_read(&a, text, &e) == GH_OK, "%s", e.text);
    const gh_augment_from from = {image, mask, &place, 1};
    const gh_augment_to to = {pixels, found, &box};
    ck_assert_msg(gh_augment_make(&to, &from, &in, &a, &rng, &e) == GH_OK, "%s", e.text);
}

/* Share of the pixels with a class where brightness says another one. */
static double disagreement(void)
{
    int wrong = 0, counted = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        counted += found[i] != GH_AUGMENT_VOID;
        wrong += found[i] != GH_AUGMENT_VOID && (pixels[i * 3] > 130) != (found[i] == 1);
    }
    return counted ? (double)wrong / counted : 0;
}

/* The bounds of class 1; false when it is not to be seen. */
static bool bounds(gh_ap_rect *out)
{
    int x0 = SIDE, y0 = SIDE, x1 = -1, y1 = -1;
    for (int i = 0; i < SIDE * SIDE; i++)
        if (found[i] == 1) {
            int x = i % SIDE, y = i / SIDE;
            x0 = x < x0 ? x : x0;
            x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0;
            y1 = y > y1 ? y : y1;
        }
    *out = (gh_ap_rect){x0, y0, x1 + 1 - x0, y1 + 1 - y0};
    return x1 >= 0;
}

START_TEST(test_plain_is_what_serving_sees)
{
    static uint8_t served[SIDE * SIDE * 3];
    gh_placement p = gh_preproc_place(&in, WIDTH, HEIGHT);
    ck_assert_int_eq(gh_preproc_pixels(served, image, &in, &p, &e), GH_OK);
    make("none", 1);
    ck_assert_mem_eq(pixels, served, sizeof pixels);
    ck_assert_double_lt(disagreement(), 0.001);
    ck_assert(box.kept);
    ck_assert_double_eq_tol(box.box.x, 50 * 0.6, 1e-9);
    ck_assert_double_eq_tol(box.box.h, 50 * 0.8, 1e-9);
    make("flip=1", 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        ck_assert_mem_eq(pixels + i * 3, served + (i / SIDE * SIDE + SIDE - 1 - i % SIDE) * 3, 3);
    ck_assert_double_eq_tol(box.box.x, SIDE - (50 + 60) * 0.6, 1e-9);
    ck_assert_double_lt(disagreement(), 0.001);
}
END_TEST

/* The warp, asked for next to no change, agrees with the resize to a few levels: no half pixel is lost. */
START_TEST(test_warp_is_aligned)
{
    static uint8_t plain[SIDE * SIDE * 3];
    double sum = 0;
    make("none", 1);
    memcpy(plain, pixels, sizeof plain);
    make("scale=0.000001", 1);
    for (size_t i = 0; i < sizeof plain; i++)
        sum += abs(plain[i] - pixels[i]);
    ck_assert_double_lt(sum / (double)sizeof plain, 0.8);
    sum = 0;
    for (size_t i = 0; i < sizeof plain; i++)
        sum += plain[i] - pixels[i];
    ck_assert_double_lt(fabs(sum) / (double)sizeof plain, 0.3);
}
END_TEST

START_TEST(test_mask_follows_the_picture)
{
    static const char *const texts[] = {"scale", "crop", "ratio=1", "rotate=45", "flip,scale=1,crop,rotate"};
    for (size_t t = 0; t < GH_COUNT(texts); t++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            make(texts[t], seed);
            ck_assert_msg(disagreement() < 0.02, "%s seed %d: %.3f", texts[t], (int)seed, disagreement());
        }
}
END_TEST

/* Unturned boxes are the bounds of what is to be seen, or dropped when that is little. */
START_TEST(test_boxes_follow_and_are_dropped)
{
    int dropped = 0, clipped = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        gh_ap_rect seen;
        make("flip,scale=2,ratio,crop", seed);
        bool any = bounds(&seen);
        dropped += !box.kept;
        ck_assert(any || !box.kept);
        if (!box.kept)
            continue;
        const gh_ap_rect *b = &box.box;
        ck_assert(b->x >= 0 && b->y >= 0 && b->x + b->w <= SIDE && b->y + b->h <= SIDE);
        clipped += b->x == 0 || b->y == 0 || b->x + b->w == SIDE || b->y + b->h == SIDE;
        ck_assert_double_eq_tol(b->x, seen.x, 1.01);
        ck_assert_double_eq_tol(b->y, seen.y, 1.01);
        ck_assert_double_eq_tol(b->x + b->w, seen.x + seen.w, 1.01);
        ck_assert_double_eq_tol(b->y + b->h, seen.y + seen.h, 1.01);
    }
    ck_assert_int_gt(dropped, 0);
    ck_assert_int_gt(clipped, 5);
    ck_assert_int_lt(dropped, SEEDS / 2);
}
END_TEST

START_TEST(test_chance_is_the_generator_alone)
{
    static const char all[] = "default,rotate,ratio,blur=1,cutout=1,grey=.5,small=1";
    static uint8_t first[sizeof pixels], first_mask[sizeof found];
    make(all, 7);
    memcpy(first, pixels, sizeof first);
    memcpy(first_mask, found, sizeof first_mask);
    make(all, 8);
    ck_assert_mem_ne(first, pixels, sizeof first);
    make(all, 7);
    ck_assert_mem_eq(first, pixels, sizeof first);
    ck_assert_mem_eq(first_mask, found, sizeof first_mask);
}
END_TEST

START_TEST(test_pixels_change_and_places_stay)
{
    static uint8_t plain[sizeof pixels], labels[sizeof found];
    static const char *const texts[] = {"colour", "blur=1", "grey=1", "small=1"};
    make("none", 3);
    memcpy(plain, pixels, sizeof plain);
    memcpy(labels, found, sizeof labels);
    for (size_t t = 0; t < GH_COUNT(texts); t++) {
        make(texts[t], 3);
        ck_assert_mem_ne(plain, pixels, sizeof plain);
        ck_assert_mem_eq(labels, found, sizeof labels);
        for (int i = 0; i < SIDE * SIDE && t == 2; i++)
            ck_assert(pixels[i * 3] == pixels[i * 3 + 1] && pixels[i * 3] == pixels[i * 3 + 2]);
    }
    make("cutout=1", 3);
    int hidden = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        hidden += found[i] == GH_AUGMENT_VOID;
        ck_assert(found[i] == GH_AUGMENT_VOID || found[i] == labels[i]);
        ck_assert(found[i] != GH_AUGMENT_VOID || pixels[i * 3] == 127);
    }
    ck_assert_int_ge(hidden, SIDE * SIDE / 64);
    ck_assert_int_le(hidden, SIDE * SIDE / 8);
}
END_TEST

/* A window of the input has the input's scale, and is found all over the picture. */
START_TEST(test_windows)
{
    static uint8_t whole[SIDE * SIDE * 3], part[32 * 24 * 3], labels[32 * 24];
    gh_augment a = {.window = {32, 24}};
    gh_rng rng;
    const gh_augment_from from = {image, mask, &place, 1};
    const gh_augment_to to = {part, labels, &box};
    int least = SIDE, most = 0, off = 0;
    make("none", 1);
    memcpy(whole, pixels, sizeof whole);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        gh_rng_seed(&rng, seed);
        ck_assert_int_eq(gh_augment_make(&to, &from, &in, &a, &rng, &e), GH_OK);
        int x = (int)lround((part[1] - 20) * 0.6), y = (int)lround((part[2] - 20) * 0.8);
        least = x < least ? x : least;
        most = x > most ? x : most;
        ck_assert(x >= -1 && x <= SIDE - 31 && y >= -1 && y <= SIDE - 23);
        x = x < 0 ? 0 : x > SIDE - 32 ? SIDE - 32 : x;
        y = y < 0 ? 0 : y > SIDE - 24 ? SIDE - 24 : y;
        for (int i = 0; i < 32 * 24; i++) {
            const uint8_t *w = whole + ((y + i / 32) * SIDE + x + i % 32) * 3;
            ck_assert_int_le(abs(w[1] - part[i * 3 + 1]), 4); /* greens and blues are ramps */
            ck_assert_int_le(abs(w[2] - part[i * 3 + 2]), 4);
            off += (part[i * 3] > 130) != (labels[i] == 1);
        }
    }
    ck_assert_int_le(least, 3);
    ck_assert_int_ge(most, SIDE - 32 - 3);
    ck_assert_int_lt(off, SEEDS * 32 * 24 / 50);
}
END_TEST

START_TEST(test_words)
{
    gh_augment a, again;
    char text[200];
    ck_assert_int_eq(gh_augment_read(&a, "flip,scale=0.25,rotate=5", &e), GH_OK);
    ck_assert(a.flip == 0.5f && a.scale == 0.25f && a.rotate == 5 && a.colour == 0);
    ck_assert_int_eq(gh_augment_read(&again, gh_augment_text(&a, text), &e), GH_OK);
    ck_assert_mem_eq(&a, &again, sizeof a);
    ck_assert_int_eq(gh_augment_read(&a, "default,colour=0", &e), GH_OK);
    ck_assert(a.flip > 0 && a.colour == 0);
    ck_assert_int_eq(gh_augment_read(&a, "default,none", &e), GH_OK);
    ck_assert_str_eq(gh_augment_text(&a, text), "none");
    ck_assert_int_eq(gh_augment_read(&a, "flip,twist", &e), GH_ARG);
    ck_assert(strstr(e.text, "\"twist\"") && strstr(e.text, "rotate"));
    ck_assert_int_eq(gh_augment_read(&a, "flip=2", &e), GH_ARG);
    ck_assert_ptr_nonnull(strstr(e.text, "from 0 to 1"));
    ck_assert_int_eq(gh_augment_read(&a, "scale=x", &e), GH_ARG);
    ck_assert_int_eq(gh_augment_read(&a, "scale=nan", &e), GH_ARG);
}
END_TEST

Suite *gh_suite_augment(void)
{
    Suite *suite = suite_create("augment");
    TCase *c = tcase_create("augment");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_plain_is_what_serving_sees);
    tcase_add_test(c, test_warp_is_aligned);
    tcase_add_test(c, test_mask_follows_the_picture);
    tcase_add_test(c, test_boxes_follow_and_are_dropped);
    tcase_add_test(c, test_chance_is_the_generator_alone);
    tcase_add_test(c, test_pixels_change_and_places_stay);
    tcase_add_test(c, test_windows);
    tcase_add_test(c, test_words);
    suite_add_tcase(suite, c);
    return suite;
}
