/* GET /metrics: Prometheus text 0.0.4. */
#include "base/cpu.h"
#include "http/route.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *endpoint_name(size_t route)
{
    return route < gh_nroutes ? gh_routes[route].path : "other";
}

static void gauge(gh_buf *out, const char *name, const char *type, const char *help, double value)
{
    gh_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %.15g\n", name, help, name, type, name, value);
}

/* The clients' own names cannot hold what Prometheus would need to escape; versions may. */
static void write_models(gh_buf *out, gh_registry *models)
{
    gh_buf_str(out, "# HELP gharial_model_info Models that are ready.\n# TYPE gharial_model_info gauge\n");
    gh_model *m = NULL;
    for (size_t i = 0; models && (m = gh_registry_at(models, i)); i++) {
        if (m->state == GH_MODEL_READY) {
            gh_buf_printf(out, "gharial_model_info{model=\"%s\",version=", m->name);
            gh_json_string(out, m->manifest->version);
            gh_buf_printf(out, ",task=\"%s\"} 1\n", gh_task_name(m->manifest->task));
        }
        gh_model_put(&m);
    }
}

static double open_files(void)
{
    double n = -1; /* not the folder's own descriptor */
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (struct dirent *d; (d = readdir(dir));)
        n += d->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* Pages of /proc/self/statm: all, resident. */
static void read_memory(double *all, double *resident)
{
    double a = 0, r = 0, page = (double)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%lf %lf", &a, &r) != 2)
            a = r = 0;
        fclose(f);
    }
    *all = a * page;
    *resident = r * page;
}

/* Seconds since 1970 when the server started: the wall clock less what the steady one says has passed. */
static double start_time(const gh_app *app)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)(gh_now_ns() - app->started_ns) / 1e9;
}

static void write_process(gh_buf *out, const gh_app *app)
{
    struct rusage u;
    struct rlimit files = {0};
    double all, resident;
    getrusage(RUSAGE_SELF, &u);
    getrlimit(RLIMIT_NOFILE, &files);
    read_memory(&all, &resident);
    gauge(out, "process_cpu_seconds_total", "counter", "User and system time.",
          (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
              (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    gauge(out, "process_start_time_seconds", "gauge", "When the server started.", start_time(app));
    gauge(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident);
    gauge(out, "process_virtual_memory_bytes", "gauge", "Virtual memory.", all);
    gauge(out, "process_open_fds", "gauge", "Open descriptors.", open_files());
    gauge(out, "process_max_fds", "gauge", "Most descriptors.", (double)files.rlim_cur);
}

void gh_h_metrics(gh_app *app, gh_http_request *req, gh_worker *w, gh_http_reply *reply)
{
    (void)req, (void)w;
    gh_buf *out = &reply->body;
    gh_queue_stats q = gh_queue_stat(app->queue);
    reply->status = 200;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    gh_metrics_write(out, app->metrics, endpoint_name);
    gauge(out, "gharial_queue_depth", "gauge", "Requests that wait for a worker.", q.waiting);
    gauge(out, "gharial_inflight_requests", "gauge", "Requests being read, worked on or answered.",
          atomic_load(&app->inflight));
    gauge(out, "gharial_body_bytes", "gauge", "Bytes of bodies held.", (double)atomic_load(&app->body_bytes));
    write_models(out, atomic_load(&app->models));
    gh_buf_str(out, "# HELP gharial_build_info What runs here.\n# TYPE gharial_build_info gauge\n");
    gh_buf_printf(out, "gharial_build_info{version=\"%s\",build=\"%s\",cpu=\"%s\"} 1\n", gh_version(),
                  gh_build(), gh_cpu_level());
    write_process(out, app);
}
