/*
 * Programs that open libk4a by its path get the virtual one too: what they then ask of the handle is looked for in that
 * file and what it needs, and nowhere else, so that a preloaded library would be passed by.
 *
 * Every other name goes on to the loader's own dlopen, by a jump and not by a call: the loader looks at who called it
 * for the RPATH and $ORIGIN that hold (that is how libk4a finds its depth engine).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define VIRTUAL_LIBRARY "libk4a.so.1.4"

typedef void *(*open_function)(const char *file, int mode);

static open_function next_dlopen;
static char *virtual_path; /* beside this library; NULL where that is not known */

static void prepare(void)
{
    void *symbol = dlsym(RTLD_NEXT, "dlopen");
    memcpy(&next_dlopen, &symbol, sizeof(symbol)); /* see real.c */
    Dl_info here;
    const char *slash = dladdr(&virtual_path, &here) != 0 ? strrchr(here.dli_fname, '/') : NULL;
    if (slash != NULL &&
        asprintf(&virtual_path, "%.*s/" VIRTUAL_LIBRARY, (int)(slash - here.dli_fname), here.dli_fname) < 0) {
        virtual_path = NULL;
    }
}

/* Before main, and before any other thread; a library that opens another one while it is loaded may come earlier. */
__attribute__((constructor)) static void prepare_early(void)
{
    if (next_dlopen == NULL) {
        prepare();
    }
}

static bool is_libk4a_by_path(const char *file)
{
    const char *slash = file == NULL ? NULL : strrchr(file, '/');
    if (slash == NULL) {
        return false; /* a bare name is found by the search path, where the virtual library comes first */
    }
    const char *name = slash + 1;
    /* As the SDK installs it, and as wheels rename it. libk4arecord is another one. */
    return strncmp(name, "libk4a.so", 9) == 0 || (strncmp(name, "libk4a-", 7) == 0 && strstr(name, ".so") != NULL);
}

EXPORTED void *dlopen(const char *file, int mode)
{
    prepare_early();
    /* Whoever asks whether a file is loaded already means that file. */
    if ((mode & RTLD_NOLOAD) == 0 && virtual_path != NULL && is_libk4a_by_path(file)) {
        file = virtual_path;
    }
    return next_dlopen(file, mode);
}
