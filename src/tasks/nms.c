/* Greedy non-maximum suppression, class by class. */
#include "tasks/nms.h"

#include <stdlib.h>

/* Comparisons instead of fmin and fmax, which are calls: crowds take hundreds of thousands of overlaps. */
double gh_box_iou(const gh_box *a, const gh_box *b)
{
    double x0 = a->x0 > b->x0 ? a->x0 : b->x0, x1 = a->x1 < b->x1 ? a->x1 : b->x1;
    double y0 = a->y0 > b->y0 ? a->y0 : b->y0, y1 = a->y1 < b->y1 ? a->y1 : b->y1;
    if (!(x1 > x0 && y1 > y0))
        return 0;
    double both = (x1 - x0) * (y1 - y0), area_a = ((double)a->x1 - a->x0) * ((double)a->y1 - a->y0);
    return both / (area_a + ((double)b->x1 - b->x0) * ((double)b->y1 - b->y0) - both);
}

static int better(const void *left, const void *right)
{
    const gh_box *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

void gh_box_sort(gh_box *boxes, size_t n)
{
    if (n > 1)
        qsort(boxes, n, sizeof *boxes, better);
}

size_t gh_nms(gh_box *boxes, size_t n, double overlap)
{
    size_t kept = 0;
    gh_box_sort(boxes, n);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < kept && (boxes[k].index != boxes[i].index || gh_box_iou(&boxes[k], &boxes[i]) < overlap))
            k++;
        if (k == kept)
            boxes[kept++] = boxes[i];
    }
    return kept;
}
