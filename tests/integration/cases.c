/* The cases of a test program, side by side. */
#include "cases.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 6, CASES_MAX = 64 };

/* A case that has been started; what it prints is kept in a file until it has ended. */
struct started {
    pid_t pid; /* 0: it has ended */
    FILE *said;
};

static int run_one(const struct CMUnitTest *test)
{
    return _cmocka_run_group_tests(test->name, test, 1, NULL, NULL);
}

/* The case ends with this program, also where that is killed: by a time limit of ctest, for instance. */
static void start(struct started *s, const struct CMUnitTest *test)
{
    pid_t program = getpid();
    s->said = tmpfile();
    if (s->said == NULL)
        abort();
    fflush(NULL);
    s->pid = fork();
    if (s->pid < 0)
        abort();
    if (s->pid > 0)
        return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != program)
        _exit(127);
    dup2(fileno(s->said), STDOUT_FILENO);
    dup2(fileno(s->said), STDERR_FILENO);
    exit(run_one(test));
}

static void repeat(FILE *said)
{
    char text[4096];
    size_t n;
    rewind(said);
    while ((n = fread(text, 1, sizeof(text), said)) > 0)
        (void)fwrite(text, 1, n, stdout);
    fclose(said);
}

/* Waits for a case to end, and tells what it said; returns whether it passed. */
static bool finish_one(struct started *started, const struct CMUnitTest *tests, size_t n)
{
    int status;
    pid_t pid;
    do
        pid = waitpid(-1, &status, 0);
    while (pid < 0 && errno == EINTR);
    for (size_t i = 0; pid > 0 && i < n; i++) {
        if (started[i].pid != pid)
            continue;
        started[i].pid = 0;
        repeat(started[i].said);
        bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (WIFSIGNALED(status))
            printf("[  FAILED  ] %s: ended by signal %d\n", tests[i].name, WTERMSIG(status));
        return passed;
    }
    abort(); /* Nothing else is ever started by this process. */
}

int cases_run(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    static struct started started[CASES_MAX];
    size_t passed = 0;
    if (n > CASES_MAX)
        abort();
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
        return _cmocka_run_group_tests(argv[0], tests, n, NULL, NULL);
    }
    for (size_t i = 0; i < n; i++) {
        if (i >= AT_ONCE)
            passed += finish_one(started, tests, i);
        start(&started[i], &tests[i]);
    }
    for (size_t i = n < AT_ONCE ? n : AT_ONCE; i > 0; i--)
        passed += finish_one(started, tests, n);
    printf("%zu of %zu cases passed\n", passed, n);
    return passed < n;
}
