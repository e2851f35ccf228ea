/* Lets a chosen call of the system fail, or kills the process there: loaded into gmpc by the tests of tests/campaign.
 *
 *   GMPC_FAULT        NAME:N:WHAT, the N-th call (from 1) called write, fsync, rename, read, open, unlink, mkdir, truncate or any;
 *                     WHAT is an errno, `kill`, or `short` (half of a write is done, the next one finds the disk full)
 *   GMPC_FAULT_BELOW  only calls about files whose path begins with this
 *   GMPC_FAULT_LOG    a file for what happened: at the end `peak KILOBYTES`, `calls NAME COUNT` for each name, and `hit`
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE, FSYNC, RENAME, READ, OPEN, UNLINK, MKDIR, TRUNCATE, NAMES };
static const char *const names[NAMES] = {"write", "fsync", "rename", "read", "open", "unlink", "mkdir", "truncate"};
static atomic_long counts[NAMES];
static atomic_long any;
static atomic_int hit_once, full_from_now;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

/* Adds a line to the log with the system's own calls. */
static void note(const char *line) {
    const char *path = setting("GMPC_FAULT_LOG");
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    ssize_t (*real_write)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    int file = *path ? real_open(path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (file >= 0) {
        ssize_t written = real_write(file, line, strlen(line));
        (void)written;
        close(file);
    }
}

/* What is to happen in this call: 0 nothing, an errno, or -1 a short write. */
static int fault(int name, const char *path) {
    const char *below = setting("GMPC_FAULT_BELOW");
    char wanted[16];
    char what[16];
    long n = 0;
    if (!path || !*below || strncmp(path, below, strlen(below))) return 0;
    long count = ++counts[name], all = ++any;
    if (name == WRITE && full_from_now) return ENOSPC;
    if (sscanf(setting("GMPC_FAULT"), "%15[a-z]:%ld:%15s", wanted, &n, what) != 3) return 0;
    if (!(strcmp(wanted, names[name]) ? !strcmp(wanted, "any") && all == n : count == n)) return 0;
    hit_once = 1;
    if (!strcmp(what, "kill")) {
        note("hit\n");
        kill(getpid(), SIGKILL);
    }
    if (!strcmp(what, "short")) return name == WRITE ? -1 : ENOSPC;
    return atoi(what);
}

__attribute__((destructor)) static void tell(void) {
    char line[64];
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    snprintf(line, sizeof line, "peak %ld\n", used.ru_maxrss);
    note(line);
    for (int name = 0; name < NAMES; name++) {
        snprintf(line, sizeof line, "calls %s %ld\n", names[name], (long)counts[name]);
        note(line);
    }
    if (hit_once) note("hit\n");
}

static const char *path_of(int file, char *room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, room, 4095);
    if (length < 0) return NULL;
    room[length] = 0;
    return room;
}

static const char *absolute(const char *path, char *room) {
    char here[2048];
    if (*path == '/' || !getcwd(here, sizeof here)) return path;
    snprintf(room, 4096, "%s/%s", here, path);
    return room;
}

#define REAL(result, name, ...) result (*real)(__VA_ARGS__) = dlsym(RTLD_NEXT, name)
#define FAIL(name, path) do { int f_ = fault(name, path); if (f_ > 0) { errno = f_; return -1; } } while (0)

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char room[4096];
    int found = file > 2 ? fault(WRITE, path_of(file, room)) : 0;
    if (found < 0) {
        full_from_now = 1;
        return real(file, bytes, count > 1 ? count / 2 : count);
    }
    if (found > 0) { errno = found; return -1; }
    return real(file, bytes, count);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    char room[4096];
    int found = file > 2 ? fault(WRITE, path_of(file, room)) : 0;
    if (found) { errno = found > 0 ? found : ENOSPC; return -1; }
    return real(file, parts, count);
}
ssize_t read(int file, void *bytes, size_t count) {
    REAL(ssize_t, "read", int, void *, size_t);
    char room[4096];
    if (file > 2) FAIL(READ, path_of(file, room));
    return real(file, bytes, count);
}
int fsync(int file) {
    REAL(int, "fsync", int);
    char room[4096];
    FAIL(FSYNC, path_of(file, room));
    return real(file);
}
int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    char room[4096];
    FAIL(FSYNC, path_of(file, room));
    return real(file);
}
int ftruncate64(int file, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    char room[4096];
    FAIL(TRUNCATE, path_of(file, room));
    return real(file, length);
}
int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    char room[4096];
    FAIL(RENAME, absolute(to, room));
    return real(from, to);
}
int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    char room[4096];
    FAIL(UNLINK, absolute(path, room));
    return real(path);
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    char room[4096];
    FAIL(MKDIR, absolute(path, room));
    return real(path, mode);
}
static int opened(const char *name, const char *path, int flags, mode_t mode) {
    REAL(int, name, const char *, int, ...);
    char room[4096];
    FAIL(OPEN, absolute(path, room));
    return real(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
    return opened("open", path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
    return opened("open64", path, flags, mode);
}
