/* The heap: the best of many, for items of several sizes, and its order after each step. */
#include "unit/suites.h"

#include "base/heap.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

/* An item of any size, whose first bytes are its key and whose others follow from it. */
static int key_of(const void *item)
{
    int key;
    memcpy(&key, item, sizeof key);
    return key;
}

static void set(uint8_t *item, size_t size, int key)
{
    memset(item, key & 255, size);
    memcpy(item, &key, sizeof key);
}

static bool whole(const uint8_t *item, size_t size)
{
    for (size_t i = sizeof(int); i < size; i++)
        if (item[i] != (key_of(item) & 255))
            return false;
    return true;
}

static bool less(const void *a, const void *b, const void *arg)
{
    (void)arg;
    return key_of(a) < key_of(b);
}

static void check_heap(const gh_heap *h, const uint8_t *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert(whole(items + i * h->size, h->size));
        ck_assert_int_ge(key_of(items + i * h->size), key_of(items + (i ? (i - 1) / 2 : 0) * h->size));
    }
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The k largest of n numbers, many of them equal, are those of sorting. */
START_TEST(test_best_of_many)
{
    static const size_t sizes[] = {4, 5, 64, 65, 200};
    enum { N = 300, MOST = 40 };
    gh_rng rng;
    uint8_t items[MOST * 200];
    int all[N];
    gh_rng_seed(&rng, 11);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t k = 1; k <= MOST; k += 3) {
            const gh_heap h = {.size = sizes[s], .before = less};
            uint8_t next[200];
            for (size_t i = 0; i < N; i++) {
                all[i] = (int)gh_rng_below(&rng, 500);
                set(i < k ? items + i * h.size : next, h.size, all[i]);
                if (i + 1 == k)
                    gh_heap_make(&h, items, k);
                else if (i >= k && less(items, next, NULL)) {
                    memcpy(items, next, h.size);
                    gh_heap_down(&h, items, k, 0);
                }
            }
            check_heap(&h, items, k);
            qsort(all, N, sizeof *all, compare);
            for (size_t left = k; left > 0; left--) { /* the root is the least of those that are left */
                ck_assert_int_eq(key_of(items), all[N - left]);
                if (left > 1) /* the last is the root itself */
                    memcpy(items, items + (left - 1) * h.size, h.size);
                gh_heap_down(&h, items, left - 1, 0);
            }
        }
}
END_TEST

START_TEST(test_growing)
{
    enum { N = 100 };
    const gh_heap h = {.size = 7, .before = less};
    uint8_t items[N * 7];
    gh_rng rng;
    gh_rng_seed(&rng, 12);
    for (size_t i = 0; i < N; i++) {
        set(items + i * h.size, h.size, (int)gh_rng_below(&rng, 50));
        gh_heap_up(&h, items, i);
        check_heap(&h, items, i + 1);
    }
}
END_TEST

Suite *gh_suite_heap(void)
{
    Suite *s = suite_create("heap");
    TCase *c = tcase_create("heap");
    tcase_add_test(c, test_best_of_many);
    tcase_add_test(c, test_growing);
    suite_add_tcase(s, c);
    return s;
}
