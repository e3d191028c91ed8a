/*
 * Tries the inputs of the folders that are named, on a build without libFuzzer: what was found once is not
 * found again. How much memory and time an input takes is for the fuzzers to say.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void budget_begin(void)
{
}

void budget_end(const struct budget *budget, size_t size)
{
    (void)budget;
    (void)size;
}

static void give_up(const char *path)
{
    perror(path);
    exit(1);
}

/* The input lies in memory of exactly its size, so that a sanitizer sees what reads beyond it. */
static void replay(const char *path)
{
    struct buf bytes = {0};
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        give_up(path);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(&bytes, piece, n);
    fclose(file);
    uint8_t *data = malloc(bytes.len + 1);
    if (data == NULL)
        give_up(path);
    if (bytes.len > 0)
        memcpy(data + 1, bytes.data, bytes.len);
    fprintf(stderr, "%s\n", path); /* the last one is the culprit of an abort */
    LLVMFuzzerTestOneInput(data + 1, bytes.len);
    free(data);
    buf_free(&bytes);
}

static int replay_folder(const char *folder)
{
    int tried = 0;
    char path[1024];
    DIR *dir = opendir(folder);
    if (dir == NULL)
        give_up(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        replay(path);
        tried++;
    }
    closedir(dir);
    return tried;
}

int main(int argc, char **argv)
{
    int tried = 0;
    for (int i = 1; i < argc; i++)
        tried += replay_folder(argv[i]);
    printf("%d inputs\n", tried);
    return tried > 0 ? 0 : 1;
}
