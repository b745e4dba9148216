/* Losses of boxes by their overlap. Inside, a box is its corners; a derivative has one part a corner
 * coordinate: left, top, right, bottom. */
#include "train/learn/loss.h"

#include <math.h>

#define LEAST 1e-9 /* areas and squared distances are at least this much, so that nothing is divided by 0 */
#define PI    3.14159265358979323846

typedef struct value {
    double v, d[4];
} value;

static value constant(double v)
{
    return (value){.v = v};
}

static value corner(const double *box, int i)
{
    value out = {.v = box[i]};
    out.d[i] = 1;
    return out;
}

/* a + s * b */
static value add(value a, double s, value b)
{
    a.v += s * b.v;
    for (int i = 0; i < 4; i++)
        a.d[i] += s * b.d[i];
    return a;
}

static value times(value a, value b)
{
    value out = {.v = a.v * b.v};
    for (int i = 0; i < 4; i++)
        out.d[i] = a.d[i] * b.v + a.v * b.d[i];
    return out;
}

static value over(value a, value b)
{
    value out = {.v = a.v / b.v};
    for (int i = 0; i < 4; i++)
        out.d[i] = (a.d[i] - out.v * b.d[i]) / b.v;
    return out;
}

static value larger(value a, value b)
{
    return a.v >= b.v ? a : b;
}

static value smaller(value a, value b)
{
    return a.v <= b.v ? a : b;
}

/* Overlap over union, and the union. */
static value overlap(value *both, const double *box, const double *target)
{
    value w = smaller(corner(box, 2), constant(target[2])), h = smaller(corner(box, 3), constant(target[3]));
    w = larger(add(w, -1, larger(corner(box, 0), constant(target[0]))), constant(0));
    h = larger(add(h, -1, larger(corner(box, 1), constant(target[1]))), constant(0));
    value inter = times(w, h),
          area = times(add(corner(box, 2), -1, corner(box, 0)), add(corner(box, 3), -1, corner(box, 1)));
    area = add(area, 1, constant((target[2] - target[0]) * (target[3] - target[1])));
    *both = larger(add(area, -1, inter), constant(LEAST));
    return over(inter, *both);
}

/* Width or height (`axis` 0, 1) of the smallest box around both. */
static value around(const double *box, const double *target, int axis)
{
    value high = larger(corner(box, axis + 2), constant(target[axis + 2]));
    return add(high, -1, smaller(corner(box, axis), constant(target[axis])));
}

/* Twice the distance of the centres along an axis. */
static value apart(const double *box, const double *target, int axis)
{
    value at = add(corner(box, axis), 1, corner(box, axis + 2));
    return add(at, 1, constant(-target[axis] - target[axis + 2]));
}

/* (atan(w'/h') - atan(w/h))^2 * 4 / pi^2 */
static value aspect(const double *box, const double *target)
{
    double w = fmax(box[2] - box[0], LEAST), h = fmax(box[3] - box[1], LEAST);
    double angle = atan2(target[2] - target[0], target[3] - target[1]) - atan2(w, h);
    double by_angle = -8 / (PI * PI) * angle, dw = by_angle * h / (w * w + h * h),
           dh = -by_angle * w / (w * w + h * h);
    return (value){4 / (PI * PI) * angle * angle, {-dw, -dh, dw, dh}};
}

static value box_loss(gh_box_loss kind, const double *box, const double *target)
{
    value both, iou = overlap(&both, box, target);
    value w = around(box, target, 0), h = around(box, target, 1);
    value loss = add(constant(1), -1, iou);
    if (kind == GH_BOX_GIOU) {
        value area = larger(times(w, h), constant(LEAST));
        return add(add(loss, 1, constant(1)), -1, over(both, area));
    }
    value dx = apart(box, target, 0), dy = apart(box, target, 1), v = aspect(box, target);
    value distance = add(times(dx, dx), 1, times(dy, dy));
    value diagonal = larger(add(times(w, w), 1, times(h, h)), constant(LEAST));
    double balance = v.v / fmax(1 - iou.v + v.v, LEAST);
    return add(add(loss, .25, over(distance, diagonal)), balance, v);
}

static void corners_of(double out[4], const float *box, gh_box_form form)
{
    for (int i = 0; i < 4; i++)
        out[i] = (double)box[i];
    for (int axis = 0; form == GH_BOX_CENTRE && axis < 2; axis++) {
        out[axis] = (double)box[axis] - (double)box[axis + 2] / 2;
        out[axis + 2] = (double)box[axis] + (double)box[axis + 2] / 2;
    }
}

double gh_loss_box(gh_gradient to, gh_box_loss kind, gh_box_form form, const float *boxes,
                   const float *target, const float *weight, size_t n)
{
    double weights = 0, total = 0;
    for (size_t i = 0; i < n; i++)
        weights += weight ? (double)weight[i] : 1;
    double scale = weights > 0 ? to.weight / weights : 0;
    for (size_t i = 0; i < n; i++) {
        double box[4], wanted[4], w = scale * (weight ? (double)weight[i] : 1);
        value loss = {0};
        corners_of(box, boxes + 4 * i, form);
        corners_of(wanted, target + 4 * i, form);
        if (w > 0)
            loss = box_loss(kind, box, wanted);
        total += w * loss.v;
        for (int k = 0; to.at && k < 4; k++) {
            double d = loss.d[k];
            if (form == GH_BOX_CENTRE)
                d = k < 2 ? loss.d[k] + loss.d[k + 2] : (loss.d[k] - loss.d[k - 2]) / 2;
            float *g = to.at + 4 * i + k;
            *g = (float)(to.add ? (double)*g + w * d : w * d);
        }
    }
    return total;
}
