/* L-BFGS by reverse communication. The line search keeps a bracket [low, high] of step lengths: `low` gains
 * enough but is still too steep, `high` gains too little; it ends with a step that satisfies the weak Wolfe
 * conditions. */
#include "train/heads/lbfgs.h"

#include "base/mem.h"
#include "train/products/blas.h"

#include <math.h>
#include <string.h>

#define MOST_MEMORY 32
#define ARMIJO      1e-4
#define CURVATURE   0.9
enum { MOST_TRIALS = 30 }; /* of one line search */

typedef struct pair {
    float *s, *y; /* step and change of the gradient */
    double rho;   /* 1 / (s . y) */
} pair;

struct gh_lbfgs {
    size_t n;
    gh_lbfgs_options o;
    float *space;            /* owns all vectors */
    float *x, *g;            /* the point looked at */
    float *x0, *g0, *way;    /* where the line search started, and its direction */
    double f0, slope;        /* value and slope there */
    double t, low, high;     /* step looked at; bracket, high 0 = none yet */
    pair pairs[MOST_MEMORY]; /* ring: the newest is at (first + used - 1) % memory */
    int first, used, trials, iteration;
    bool started;
};

size_t gh_lbfgs_floats(size_t n, int memory)
{
    return n * (size_t)(5 + 2 * (memory ? memory : GH_LBFGS_MEMORY));
}

gh_status gh_lbfgs_new(gh_lbfgs **out, size_t n, const gh_lbfgs_options *options, gh_err *e)
{
    gh_lbfgs *l = gh_calloc(1, sizeof *l);
    size_t floats;
    if (!l)
        return gh_fail(e, GH_NOMEM, "no memory for the optimiser");
    l->n = n;
    l->o = options ? *options : (gh_lbfgs_options){0};
    l->o.memory = l->o.memory ? l->o.memory : GH_LBFGS_MEMORY;
    l->o.iterations = l->o.iterations ? l->o.iterations : 500;
    l->o.gradient = l->o.gradient > 0 ? l->o.gradient : 1e-4f;
    l->o.decrease = l->o.decrease > 0 ? l->o.decrease : 1e-7;
    GH_ASSERT(l->o.memory <= MOST_MEMORY);
    if (gh_mul_size(&floats, n, (size_t)(5 + 2 * l->o.memory)))
        l->space = gh_calloc(floats ? floats : 1, sizeof *l->space);
    if (!l->space) {
        gh_free(l);
        return gh_fail(e, GH_NOMEM, "no memory for an optimiser of %zu parameters", n);
    }
    l->x = l->space;
    l->g = l->x + n;
    l->x0 = l->g + n;
    l->g0 = l->x0 + n;
    l->way = l->g0 + n;
    for (int i = 0; i < l->o.memory; i++) {
        l->pairs[i].s = l->way + (size_t)(1 + 2 * i) * n;
        l->pairs[i].y = l->pairs[i].s + n;
    }
    *out = l;
    return GH_OK;
}

void gh_lbfgs_free(gh_lbfgs **l)
{
    if (!*l)
        return;
    gh_free((*l)->space);
    gh_free(*l);
    *l = NULL;
}

float *gh_lbfgs_point(gh_lbfgs *l)
{
    return l->x;
}

float *gh_lbfgs_gradient(gh_lbfgs *l)
{
    return l->g;
}

int gh_lbfgs_iterations(const gh_lbfgs *l)
{
    return l->iteration;
}

static float largest(const float *v, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    return most;
}

static void scale(float *v, size_t n, float a)
{
    for (size_t i = 0; i < n; i++)
        v[i] *= a;
}

static pair *pair_at(gh_lbfgs *l, int i)
{
    return &l->pairs[(l->first + i) % l->o.memory];
}

void gh_lbfgs_penalise(gh_lbfgs *l, double weight, size_t count)
{
    int kept = 0;
    for (int i = 0; i < l->used; i++) {
        pair *p = pair_at(l, i);
        gh_axpy(count, (float)weight, p->s, p->y); /* the change of the gradient over the step s */
        double sy = gh_dot(l->n, p->s, p->y);
        p->rho = sy > 0 ? 1 / sy : 0;
        kept += sy > 0;
    }
    if (kept < l->used)
        l->used = 0;
    l->started = false;
    l->iteration = 0;
}

/* way = -H g0 by the two loops over the pairs. */
static void direction(gh_lbfgs *l)
{
    double alpha[MOST_MEMORY];
    memcpy(l->way, l->g0, l->n * sizeof *l->way);
    for (int i = l->used; i-- > 0;) {
        pair *p = pair_at(l, i);
        alpha[i] = p->rho * gh_dot(l->n, p->s, l->way);
        gh_axpy(l->n, (float)-alpha[i], p->y, l->way);
    }
    if (l->used) {
        pair *p = pair_at(l, l->used - 1);
        scale(l->way, l->n, (float)(1 / (p->rho * gh_dot(l->n, p->y, p->y))));
    }
    for (int i = 0; i < l->used; i++) {
        pair *p = pair_at(l, i);
        double beta = p->rho * gh_dot(l->n, p->y, l->way);
        gh_axpy(l->n, (float)(alpha[i] - beta), p->s, l->way);
    }
    scale(l->way, l->n, -1);
}

static void look_at(gh_lbfgs *l, double t)
{
    l->t = t;
    memcpy(l->x, l->x0, l->n * sizeof *l->x);
    gh_axpy(l->n, (float)t, l->way, l->x);
}

/* Starts a line search from the point that stands in x, g; false when there is no way down. */
static bool search(gh_lbfgs *l, double f)
{
    memcpy(l->x0, l->x, l->n * sizeof *l->x);
    memcpy(l->g0, l->g, l->n * sizeof *l->g);
    l->f0 = f;
    direction(l);
    l->slope = gh_dot(l->n, l->g0, l->way);
    if (!(l->slope < 0) && l->used) { /* rounding spoilt the curvature: steepest descent again */
        l->used = 0;
        direction(l);
        l->slope = gh_dot(l->n, l->g0, l->way);
    }
    if (!(l->slope < 0))
        return false;
    l->low = l->high = 0;
    l->trials = 0;
    look_at(l, l->used ? 1 : fmin(1, 1 / sqrt(-l->slope)));
    return true;
}

/* Takes the step into the memory; pairs without positive curvature stay out. */
static void remember(gh_lbfgs *l)
{
    bool full = l->used == l->o.memory;
    pair *p = pair_at(l, full ? 0 : l->used);
    for (size_t i = 0; i < l->n; i++) {
        p->s[i] = l->x[i] - l->x0[i];
        p->y[i] = l->g[i] - l->g0[i];
    }
    double sy = gh_dot(l->n, p->s, p->y);
    if (!(sy > 1e-10 * gh_dot(l->n, p->y, p->y))) {
        if (full) { /* its place was overwritten */
            l->first = (l->first + 1) % l->o.memory;
            l->used--;
        }
        return;
    }
    p->rho = 1 / sy;
    if (full)
        l->first = (l->first + 1) % l->o.memory;
    else
        l->used++;
}

static bool finish(gh_lbfgs *l, bool back)
{
    if (back)
        memcpy(l->x, l->x0, l->n * sizeof *l->x);
    return false;
}

/* The step between two that a parabola through value, slope and the new value puts lowest, kept away from
 * both ends. */
static double between(const gh_lbfgs *l, double f)
{
    double low = l->low, high = l->high, width = high - low;
    double bend = f - l->f0 - l->slope * high, t = -l->slope * high * high / (2 * bend);
    if (!(low == 0 && bend > 0))
        t = (low + high) / 2;
    return fmin(fmax(t, low + 0.1 * width), high - 0.1 * width);
}

bool gh_lbfgs_tell(gh_lbfgs *l, double f)
{
    if (!l->started) {
        l->started = true;
        return largest(l->g, l->n) > l->o.gradient && search(l, f);
    }
    bool enough = f <= l->f0 + ARMIJO * l->t * l->slope; /* false for NaN too */
    double slope = enough ? gh_dot(l->n, l->g, l->way) : 0;
    if (enough && slope >= CURVATURE * l->slope) {
        remember(l);
        l->iteration++;
        if (largest(l->g, l->n) <= l->o.gradient || l->iteration >= l->o.iterations ||
            l->f0 - f <= l->o.decrease * fmax(fabs(f), 1e-3))
            return finish(l, false);
        return search(l, f) || finish(l, false);
    }
    if (++l->trials >= MOST_TRIALS)
        return finish(l, !enough);
    if (enough)
        l->low = l->t;
    else
        l->high = l->t;
    if (l->high > 0 && l->high - l->low < 1e-9 * l->high)
        return finish(l, !enough);
    look_at(l, l->high > 0 ? enough ? (l->low + l->high) / 2 : between(l, f) : 2 * l->t);
    return true;
}
