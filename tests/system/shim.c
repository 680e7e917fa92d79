/*
 * Stands between the daemon and the kernel (LD_PRELOAD) for tests that a kill proves nothing about: it writes down in
 * which order the journal's log is written and synced and bytes leave on sockets, lets one sync fail, and shifts the wall
 * clock. What it writes down lies in a mapped file, so that it outlives the process.
 *
 * TIELINE_SHIM_TRACE  the file to write down in; it has its full length already
 * TIELINE_SHIM_FAIL   while this file exists, the next sync of the log fails with EIO; then the file is removed
 * TIELINE_SHIM_CLOCK  a file of eight bytes: how many milliseconds the wall clock is ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { LOG_WRITTEN = 1, SYNC_BEGUN = 2, SYNC_DONE = 3, SYNC_FAILED = 4, SENT = 5, ENDED = 6 };

struct header { _Atomic uint64_t used, order; };
struct record { uint32_t length, kind; uint64_t order, ns; };

#define FILES 65536
static char is_log[FILES];
static char *trace;
static uint64_t trace_length;
static const char *fail_file;
static _Atomic int64_t *clock_ahead_ms;

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }
#define REAL(name, type, ...) static type (*next)(__VA_ARGS__); if (!next) next = real(#name)

static uint64_t order(void) {
    return trace ? atomic_fetch_add(&((struct header *)trace)->order, 1) : 0;
}

static void note(uint32_t kind, uint64_t at, const struct iovec *parts, int count) {
    if (!trace) return;
    uint64_t length = 0;
    for (int i = 0; i < count; i++) length += parts[i].iov_len;
    uint64_t room = (sizeof(struct record) + length + 7) & ~7ull;
    uint64_t from = atomic_fetch_add(&((struct header *)trace)->used, room) + sizeof(struct header);
    if (from + room > trace_length) abort(); /* a trace with a gap would prove nothing */
    struct timespec now = { 0, 0 };
    clock_gettime(CLOCK_MONOTONIC, &now);
    char *to = trace + from + sizeof(struct record);
    for (int i = 0; i < count; to += parts[i].iov_len, i++) memcpy(to, parts[i].iov_base, parts[i].iov_len);
    struct record *record = (struct record *)(trace + from);
    record->order = at;
    record->ns = now.tv_sec * 1000000000ull + now.tv_nsec;
    record->length = (uint32_t)length;
    record->kind = kind;
}

static void *map(const char *variable, uint64_t *length) {
    const char *path = getenv(variable);
    int file = path ? open(path, O_RDWR) : -1;
    struct stat about;
    if (file < 0 || fstat(file, &about) < 0) return NULL;
    void *at = mmap(NULL, about.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    *length = about.st_size;
    return at == MAP_FAILED ? NULL : at;
}

__attribute__((constructor)) static void begin(void) {
    uint64_t length;
    trace = map("TIELINE_SHIM_TRACE", &trace_length);
    clock_ahead_ms = map("TIELINE_SHIM_CLOCK", &length);
    fail_file = getenv("TIELINE_SHIM_FAIL");
}

__attribute__((destructor)) static void end(void) { note(ENDED, order(), NULL, 0); }

static int opened(int file, const char *path) {
    size_t length = strlen(path);
    if (file >= 0 && file < FILES) is_log[file] = length > 4 && strcmp(path + length - 4, "-wal") == 0;
    return file;
}

static int mode_of(int flags, va_list more) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, int) : 0; }

int open(const char *path, int flags, ...) {
    REAL(open, int, const char *, int, ...);
    va_list more; va_start(more, flags); int mode = mode_of(flags, more); va_end(more);
    return opened(next(path, flags, mode), path);
}

int open64(const char *path, int flags, ...) {
    REAL(open64, int, const char *, int, ...);
    va_list more; va_start(more, flags); int mode = mode_of(flags, more); va_end(more);
    return opened(next(path, flags, mode), path);
}

int openat64(int folder, const char *path, int flags, ...) {
    REAL(openat64, int, int, const char *, int, ...);
    va_list more; va_start(more, flags); int mode = mode_of(flags, more); va_end(more);
    return opened(next(folder, path, flags, mode), path);
}

int close(int file) {
    REAL(close, int, int);
    if (file >= 0 && file < FILES) is_log[file] = 0;
    return next(file);
}

static int log_file(int file) { return file >= 0 && file < FILES && is_log[file]; }

static int is_socket(int file) {
    struct stat about;
    return trace && fstat(file, &about) == 0 && S_ISSOCK(about.st_mode);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    REAL(pwrite64, ssize_t, int, const void *, size_t, off64_t);
    ssize_t done = next(file, bytes, length, at);
    struct iovec part = { (void *)bytes, done > 0 ? (size_t)done : 0 };
    if (log_file(file)) note(LOG_WRITTEN, order(), &part, 1);
    return done;
}

ssize_t write(int file, const void *bytes, size_t length) {
    REAL(write, ssize_t, int, const void *, size_t);
    struct iovec part = { (void *)bytes, length };
    if (length > 8 && is_socket(file)) note(SENT, order(), &part, 1);
    ssize_t done = next(file, bytes, length);
    if (log_file(file)) note(LOG_WRITTEN, order(), &part, 1);
    return done;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev, ssize_t, int, const struct iovec *, int);
    if (is_socket(file)) note(SENT, order(), parts, count);
    return next(file, parts, count);
}

ssize_t send(int file, const void *bytes, size_t length, int flags) {
    REAL(send, ssize_t, int, const void *, size_t, int);
    struct iovec part = { (void *)bytes, length };
    note(SENT, order(), &part, 1);
    return next(file, bytes, length, flags);
}

static int sync_log(int file, int (*next)(int)) {
    if (!log_file(file)) return next(file);
    note(SYNC_BEGUN, order(), NULL, 0);
    if (fail_file && unlink(fail_file) == 0) {
        note(SYNC_FAILED, order(), NULL, 0);
        errno = EIO;
        return -1;
    }
    int done = next(file);
    note(done == 0 ? SYNC_DONE : SYNC_FAILED, order(), NULL, 0);
    return done;
}

int fsync(int file) { REAL(fsync, int, int); return sync_log(file, next); }

int fdatasync(int file) { REAL(fdatasync, int, int); return sync_log(file, next); }

int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(clock_gettime, int, clockid_t, struct timespec *);
    int done = next(which, now);
    if (done == 0 && which == CLOCK_REALTIME && clock_ahead_ms) {
        int64_t ns = now->tv_nsec + (int64_t)(*clock_ahead_ms % 1000) * 1000000;
        now->tv_sec += *clock_ahead_ms / 1000 + (ns >= 1000000000) - (ns < 0);
        now->tv_nsec = ns - 1000000000 * ((ns >= 1000000000) - (ns < 0));
    }
    return done;
}
