/* Whole files. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool file_read(const char *path, size_t max, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n;
    do {
        n = read(fd, buf_reserve(b, 4096), 4096);
        b->len += n > 0 ? (size_t)n : 0;
    } while (n > 0 && b->len <= max);
    int error = n < 0 ? errno : b->len > max ? EFBIG : 0;
    close(fd);
    errno = error;
    return error == 0;
}
