/* LD_PRELOAD for libcamera_virtual.sh: a /dev/dma_heap made of memfds, where the kernel has none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAPS "/dev/dma_heap/"

static int is_heap(const char *path) { return path && strncmp(path, HEAPS, strlen(HEAPS)) == 0; }

static int heap(void) { return memfd_create("heap", MFD_CLOEXEC); }

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...)                            \
    {                                                                     \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        int mode = va_arg(rest, int);                                     \
        va_end(rest);                                                     \
        int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, #name);    \
        return is_heap(path) ? heap() : real(path, flags, mode);          \
    }
OPEN(open)
OPEN(open64)

int openat(int folder, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, "openat");
    return is_heap(path) ? heap() : real(folder, path, flags, mode);
}

static int allocate(struct dma_heap_allocation_data *wanted)
{
    int buffer = memfd_create("buffer", MFD_CLOEXEC);
    if (buffer < 0 || ftruncate(buffer, wanted->len) != 0)
        return -1;
    wanted->fd = buffer;
    return 0;
}

int ioctl(int file, unsigned long request, ...)
{
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    if (request == DMA_HEAP_IOCTL_ALLOC)
        return allocate(argument);
    if (request == DMA_BUF_IOCTL_SYNC || request == DMA_BUF_SET_NAME_A || request == DMA_BUF_SET_NAME_B)
        return 0;
    return real(file, request, argument);
}
