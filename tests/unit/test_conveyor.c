/* The conveyor: everything comes back once, in order, whatever takes how long; threads know their numbers. */
#include "unit/suites.h"

#include "cli/conveyor.h"

#include <stdatomic.h>
#include <unistd.h>

#define THREADS 4
#define ROOM    6
#define ITEMS   600

typedef struct item {
    int number, thread, times;
} item;

static item items[ITEMS];
static atomic_int busy[THREADS], together, most, clashes;
static atomic_bool opened; /* the door that the first item waits at */

static void work(void *arg, void *pointer, int thread)
{
    item *i = pointer;
    ck_assert_ptr_eq(arg, items);
    int now = atomic_fetch_add(&together, 1) + 1;
    if (now > atomic_load(&most))
        atomic_store(&most, now);
    clashes += atomic_exchange(&busy[thread], 1);
    if (i->number % 7 == 0)
        usleep(300);
    i->thread = thread;
    i->times++;
    atomic_store(&busy[thread], 0);
    atomic_fetch_sub(&together, 1);
}

static void wait_at_the_door(void *arg, void *pointer, int thread)
{
    const item *i = pointer;
    (void)arg, (void)thread;
    while (i->number == 0 && !atomic_load(&opened))
        usleep(100);
    atomic_fetch_add(&together, 1);
}

static void number_items(void)
{
    for (int i = 0; i < ITEMS; i++)
        items[i] = (item){.number = i, .thread = -1};
    atomic_store(&together, 0);
}

START_TEST(test_order)
{
    gh_conveyor *c = NULL;
    int taken = 0;
    number_items();
    ck_assert_int_eq(gh_conveyor_new(&c, THREADS, ROOM, work, items, NULL), GH_OK);
    ck_assert_ptr_null(gh_conveyor_take(c));
    for (int i = 0; i < ITEMS; i++) {
        if (gh_conveyor_full(c))
            ck_assert_int_eq(((const item *)gh_conveyor_take(c))->number, taken++);
        gh_conveyor_put(c, &items[i]);
    }
    ck_assert_int_eq(taken, ITEMS - ROOM);
    for (const item *i; (i = gh_conveyor_take(c));)
        ck_assert_int_eq(i->number, taken++);
    ck_assert_int_eq(taken, ITEMS);
    gh_conveyor_free(&c);
    ck_assert_ptr_null(c);
    for (int i = 0; i < ITEMS; i++)
        ck_assert(items[i].times == 1 && items[i].thread >= 0 && items[i].thread < THREADS);
    ck_assert_int_eq(atomic_load(&clashes), 0);
    ck_assert_int_gt(atomic_load(&most), 1);
}
END_TEST

/* The oldest takes long: all others are done meanwhile, and wait. */
START_TEST(test_the_oldest_holds_back_nobody)
{
    gh_conveyor *c = NULL;
    number_items();
    ck_assert_int_eq(gh_conveyor_new(&c, 2, ROOM, wait_at_the_door, NULL, NULL), GH_OK);
    for (int i = 0; i < ROOM; i++)
        gh_conveyor_put(c, &items[i]);
    ck_assert(gh_conveyor_full(c));
    while (atomic_load(&together) < ROOM - 1)
        usleep(100);
    atomic_store(&opened, true);
    for (int i = 0; i < ROOM; i++)
        ck_assert_ptr_eq(gh_conveyor_take(c), &items[i]);
    gh_conveyor_free(&c);
    gh_conveyor_free(&c);
}
END_TEST

Suite *gh_suite_conveyor(void)
{
    Suite *s = suite_create("conveyor");
    TCase *t = tcase_create("conveyor");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, test_order);
    tcase_add_test(t, test_the_oldest_holds_back_nobody);
    suite_add_tcase(s, t);
    return s;
}
