/* The processor time that control groups allow us: v2 cpu.max, v1 cpu.cfs_quota_us, of our group and of every
 * group above it (docs.kernel.org/admin-guide/cgroup-v2.html). */
#include "base/cpu.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first line of a file, without its end; false when there is none. */
static bool first_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool ok = fgets(line, size, f) != NULL;
    fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = '\0';
    return ok;
}

/* "200000 100000" = 2 cores; "max 100000", and whatever is not a number, = no limit (0). */
static double parse_max(const char *line)
{
    double quota = 0, period = 100000;
    if (sscanf(line, "%lf %lf", &quota, &period) < 1 || !(quota > 0) || !(period > 0))
        return 0;
    return quota / period;
}

static double quota_v2(const char *dir)
{
    char path[PATH_MAX + 16], line[64];
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    return first_line(path, line, sizeof line) ? parse_max(line) : 0;
}

static double quota_v1(const char *dir)
{
    char path[PATH_MAX + 32], line[64], period[32] = "100000";
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
    if (!first_line(path, line, 24))
        return 0;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
    if (!first_line(path, period, sizeof period))
        return 0;
    size_t n = strlen(line);
    snprintf(line + n, sizeof line - n, " %s", period);
    return parse_max(line);
}

/* The least quota of the group and those above it, up to the mount point. */
static double walk_up(const char *mount, const char *group, double (*quota)(const char *dir))
{
    char dir[PATH_MAX];
    size_t top = strlen(mount);
    int n = snprintf(dir, sizeof dir, "%s%s", mount, group);
    if (n < 0 || (size_t)n >= sizeof dir)
        return 0;
    double least = 0;
    for (;;) {
        double q = quota(dir);
        if (q > 0 && (least == 0 || q < least))
            least = q;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= top || !slash || (size_t)(slash - dir) < top)
            return least;
        *slash = '\0';
    }
}

/* True when the comma-separated list of v1 controllers names "cpu". */
static bool names_cpu(const char *list)
{
    while (*list) {
        size_t n = strcspn(list, ",");
        if (n == 3 && memcmp(list, "cpu", 3) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static double quota_of_line(const char *root, char *line)
{
    char mount[PATH_MAX];
    char *list = strchr(line, ':');
    char *group = list ? strchr(list + 1, ':') : NULL;
    if (!group)
        return 0;
    *group++ = '\0';
    list++;
    group[strcspn(group, "\n")] = '\0';
    bool v2 = *list == '\0';
    if (!v2 && !names_cpu(list))
        return 0;
    snprintf(mount, sizeof mount, v2 ? "%s/sys/fs/cgroup" : "%s/sys/fs/cgroup/cpu", root);
    double q = walk_up(mount, group, v2 ? quota_v2 : quota_v1);
    if (q > 0 || !v2)
        return q;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/unified", root); /* v1 and v2 side by side */
    return walk_up(mount, group, quota_v2);
}

double gh_cpu_quota(const char *root)
{
    char path[PATH_MAX], line[PATH_MAX + 64];
    int n = snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    double least = 0;
    while (fgets(line, sizeof line, f)) {
        double q = quota_of_line(root, line);
        if (q > 0 && (least == 0 || q < least))
            least = q;
    }
    fclose(f);
    return least;
}
