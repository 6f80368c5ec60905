/* A preloaded file layer in which one call can be made to fail.
 *
 * Every call below that changes a file under one of two folders is counted, whoever makes it:
 * Python, TensorFlow, Arrow or SQLite. At a chosen count a call fails, writes only half of its
 * data, or a signal is sent to the process. Python reads and writes the same control block (file_layer.py).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault { EIO_ONCE, ENOSPC_FROM_HERE, EACCES_ONCE, KILL, TORN_EIO, TORN_KILL, TERM, HUP };
enum verdict { PASS, FAIL, TEAR };

#define CALLS 8192
struct call { int phase; char name[12]; char path[240]; };
static struct control {
    int armed, fault, phase, hit;      /* hit: index of the call that failed, -1 before */
    int at, count, reserved[2];        /* at: index from which a call may fail, -1 never */
    char folders[2][256];
    struct call calls[CALLS];
} *control;

#define REAL(name) ({ static __typeof__(&name) real; \
    real = real ? real : (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("FAULT_CONTROL");
    int fd = path ? REAL(open)(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *block = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (block != MAP_FAILED) control = block;
}

static int below(const char *path) {
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(control->folders[i]);
        if (length && !strncmp(path, control->folders[i], length)
            && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

/* What a fault can hit: a full disk refuses new data, permissions refuse names. */
static int applies(int fault, const char *name) {
    int data = !!strstr("write flush sendfile ftruncate", name);
    int entry = !!strstr("create mkdir", name);
    if (fault == ENOSPC_FROM_HERE) return data || entry;
    if (fault == EACCES_ONCE) return entry || strstr("open rename unlink rmdir", name);
    if (fault == TORN_EIO || fault == TORN_KILL) return !!strstr("write sendfile", name);
    return 1;
}

static enum verdict judge(const char *name, const char *path) {
    if (!control || !control->armed || !below(path)) return PASS;
    /* The log's lines depend on threads: they are not counted, but a full disk takes them too. */
    int log = strstr(path, "/logs/") && strcmp(name, "open") && strcmp(name, "create");
    int fault = control->fault, sticky = fault == ENOSPC_FROM_HERE && control->hit >= 0;
    int index = log ? -1 : __sync_fetch_and_add(&control->count, 1);
    if (index >= 0 && index < CALLS) {
        struct call *call = &control->calls[index];
        call->phase = control->phase;
        strncpy(call->name, name, sizeof call->name - 1);
        strncpy(call->path, path, sizeof call->path - 1);
    }
    if (control->at < 0 || !applies(fault, name)) return PASS;
    if (!sticky) {
        if (log || index < control->at) return PASS;
        if (!__sync_bool_compare_and_swap(&control->hit, -1, index)) return PASS;
    }
    if (fault == KILL) kill(getpid(), SIGKILL);
    if (fault == TERM || fault == HUP) {
        kill(getpid(), fault == TERM ? SIGTERM : SIGHUP);
        return PASS;
    }
    errno = fault == ENOSPC_FROM_HERE ? ENOSPC : fault == EACCES_ONCE ? EACCES : EIO;
    return fault == TORN_EIO || fault == TORN_KILL ? TEAR : FAIL;
}

static void after_tear(void) {
    if (control->fault == TORN_KILL) kill(getpid(), SIGKILL);
    errno = EIO;
}

static enum verdict judge_fd(const char *name, int fd) {
    char link[64], path[PATH_MAX];
    if (!control || !control->armed) return PASS;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return PASS;
    path[length] = 0;
    return judge(name, path);
}

static enum verdict judge_at(const char *name, int folder, const char *path) {
    char link[64], whole[PATH_MAX];
    if (!control || !control->armed) return PASS;
    if (path[0] == '/' || folder == AT_FDCWD) return judge(name, path);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, whole, sizeof whole - 1);
    if (length <= 0) return PASS;
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    return judge(name, whole);
}

static const char *opening(int folder, const char *path) {
    return faccessat(folder, path, F_OK, 0) ? "create" : "open";
}

#define WRITES(flags) (((flags) & O_ACCMODE) != O_RDONLY)
#define MODE(last) ({ mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { \
    va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); } mode; })
#define OPEN(name) int name(const char *path, int flags, ...) { mode_t mode = MODE(flags); \
    return WRITES(flags) && judge(opening(AT_FDCWD, path), path) ? -1 \
        : REAL(name)(path, flags, mode); }
#define OPENAT(name) int name(int folder, const char *path, int flags, ...) { \
    mode_t mode = MODE(flags); \
    return WRITES(flags) && judge_at(opening(folder, path), folder, path) ? -1 \
        : REAL(name)(folder, path, flags, mode); }
#define FOPEN(name) FILE *name(const char *restrict path, const char *restrict mode) { \
    return strpbrk(mode, "wa+") && judge(opening(AT_FDCWD, path), path) ? NULL \
        : REAL(name)(path, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64) FOPEN(fopen) FOPEN(fopen64)

ssize_t write(int fd, const void *data, size_t size) {
    enum verdict verdict = judge_fd("write", fd);
    if (verdict == PASS) return REAL(write)(fd, data, size);
    if (verdict == TEAR) { (void)!REAL(write)(fd, data, size / 2); after_tear(); }
    return -1;
}
#define PWRITE(name, offset_type) \
ssize_t name(int fd, const void *data, size_t size, offset_type offset) { \
    enum verdict verdict = judge_fd("write", fd); \
    if (verdict == PASS) return REAL(name)(fd, data, size, offset); \
    if (verdict == TEAR) { (void)!REAL(name)(fd, data, size / 2, offset); after_tear(); } \
    return -1; }
PWRITE(pwrite, off_t) PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int count) {
    enum verdict verdict = judge_fd("write", fd);
    if (verdict == PASS) return REAL(writev)(fd, parts, count);
    if (verdict == TEAR) { (void)!REAL(writev)(fd, parts, (count + 1) / 2); after_tear(); }
    return -1;
}
size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    enum verdict verdict = judge_fd("write", fileno(file));
    if (verdict == PASS) return REAL(fwrite)(data, size, count, file);
    if (verdict == TEAR) {
        REAL(fwrite)(data, 1, size * count / 2, file);
        REAL(fflush)(file);
        after_tear();
    }
    return 0;
}
int fflush(FILE *file) {
    return file && judge_fd("flush", fileno(file)) ? EOF : REAL(fflush)(file);
}
#define SENDFILE(name, offset_type) \
ssize_t name(int to, int from, offset_type *offset, size_t size) { \
    enum verdict verdict = judge_fd("sendfile", to); \
    if (verdict == PASS) return REAL(name)(to, from, offset, size); \
    if (verdict == TEAR) { \
        struct stat info; \
        fstat(from, &info); \
        (void)!REAL(name)(to, from, offset, info.st_size / 2); \
        after_tear(); \
    } \
    return -1; }
SENDFILE(sendfile, off_t) SENDFILE(sendfile64, off64_t)

/* The disk of a test need not be waited for. */
#define SYNC(name) int name(int fd) { return judge_fd("fsync", fd) ? -1 : 0; }
SYNC(fsync) SYNC(fdatasync)
#define CUT(name, offset_type) int name(int fd, offset_type size) { \
    return judge_fd("ftruncate", fd) ? -1 : REAL(name)(fd, size); }
CUT(ftruncate, off_t) CUT(ftruncate64, off64_t)

int rename(const char *from, const char *to) {
    return judge("rename", to) ? -1 : REAL(rename)(from, to);
}
int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    return judge_at("rename", to_folder, to) ? -1
        : REAL(renameat)(from_folder, from, to_folder, to);
}
int mkdir(const char *path, mode_t mode) {
    return judge("mkdir", path) ? -1 : REAL(mkdir)(path, mode);
}
int mkdirat(int folder, const char *path, mode_t mode) {
    return judge_at("mkdir", folder, path) ? -1 : REAL(mkdirat)(folder, path, mode);
}
int unlink(const char *path) { return judge("unlink", path) ? -1 : REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) {
    return judge_at("unlink", folder, path) ? -1 : REAL(unlinkat)(folder, path, flags);
}
int rmdir(const char *path) { return judge("rmdir", path) ? -1 : REAL(rmdir)(path); }
int remove(const char *path) { return judge("unlink", path) ? -1 : REAL(remove)(path); }
