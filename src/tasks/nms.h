/* Non-maximum suppression: of boxes of one class that overlap much, the best stays. */
#ifndef GH_TASKS_NMS_H
#define GH_TASKS_NMS_H

#include <stddef.h>

/* Corners in any unit, x0 <= x1 and y0 <= y1. */
typedef struct gh_box {
    float x0, y0, x1, y1;
    float score;
    int index; /* class */
    int at;    /* the caller's: where the box came from; also decides between equal scores, lower first */
} gh_box;

/* Intersection over union, 0..1; 0 for two empty boxes. */
double gh_box_iou(const gh_box *a, const gh_box *b);
/* Best first. */
void gh_box_sort(gh_box *boxes, size_t n);
/* Sorts, then drops every box whose overlap with a better one of its class that stays is `overlap` or more.
 * Gives how many stay; they stand first, best first. Takes n * (number that stay) comparisons. */
size_t gh_nms(gh_box *boxes, size_t n, double overlap);

#endif
