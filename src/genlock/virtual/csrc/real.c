/*
 * Finds the libk4a that the client has loaded. Handles of one copy of libk4a mean nothing to another copy, so it must
 * be that one: the one that the client's own calls of k4a_image_* reach. Nothing is loaded here.
 */
#define _GNU_SOURCE
#include "real.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CANDIDATES 16

struct candidates {
    char *paths[MAX_CANDIDATES];
    int count;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct real_k4a real;
static bool is_found;

static int note_candidate(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size;
    struct candidates *found = context;
    const char *slash = strrchr(object->dlpi_name, '/');
    const char *name = slash ? slash + 1 : object->dlpi_name;
    /* libk4arecord depends on libk4a, but it is not what we look for. */
    bool is_k4a = strncmp(name, "libk4a", 6) == 0 && strncmp(name, "libk4arecord", 12) != 0;
    if (is_k4a && found->count < MAX_CANDIDATES) {
        found->paths[found->count] = strdup(object->dlpi_name);
        found->count += found->paths[found->count] != NULL;
    }
    return 0;
}

/* A library that has been loaded with its functions kept private, as Python loads extension modules. */
static void *private_library(void)
{
    struct candidates found = {.count = 0};
    void *library = NULL;
    dl_iterate_phdr(note_candidate, &found); /* the loader is locked in there: ask it only afterwards */
    for (int i = 0; i < found.count; i++) {
        if (library == NULL) {
            library = dlopen(found.paths[i], RTLD_LAZY | RTLD_NOLOAD);
            if (library != NULL && dlsym(library, "k4a_capture_create") == NULL) {
                dlclose(library);
                library = NULL;
            }
        }
        free(found.paths[i]);
    }
    return library;
}

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises that the bytes are the same. */
static bool look_up(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof(symbol));
    return symbol != NULL;
}

static void find(void)
{
    void *library = dlsym(RTLD_DEFAULT, "k4a_capture_create") ? RTLD_DEFAULT : private_library();
    if (library == NULL && dlsym(RTLD_DEFAULT, "k4a_capture_create") == NULL) {
        return;
    }
    is_found = look_up(library, "k4a_capture_create", &real.capture_create) &&
               look_up(library, "k4a_capture_release", &real.capture_release) &&
               look_up(library, "k4a_capture_set_color_image", &real.capture_set_color_image) &&
               look_up(library, "k4a_capture_set_depth_image", &real.capture_set_depth_image) &&
               look_up(library, "k4a_capture_set_ir_image", &real.capture_set_ir_image) &&
               look_up(library, "k4a_capture_set_temperature_c", &real.capture_set_temperature_c) &&
               look_up(library, "k4a_image_create_from_buffer", &real.image_create_from_buffer) &&
               look_up(library, "k4a_image_release", &real.image_release) &&
               look_up(library, "k4a_image_set_device_timestamp_usec", &real.image_set_device_timestamp_usec) &&
               look_up(library, "k4a_image_set_system_timestamp_nsec", &real.image_set_system_timestamp_nsec) &&
               look_up(library, "k4a_image_set_exposure_usec", &real.image_set_exposure_usec) &&
               look_up(library, "k4a_image_set_white_balance", &real.image_set_white_balance) &&
               look_up(library, "k4a_image_set_iso_speed", &real.image_set_iso_speed) &&
               look_up(library, "k4a_calibration_get_from_raw", &real.calibration_get_from_raw);
}

const struct real_k4a *real_k4a(void)
{
    pthread_once(&once, find);
    return is_found ? &real : NULL;
}
