/*
 * Handles are numbers, not addresses: a place in a table and how often the place was used before. A stale or invented
 * one is recognised.
 */
#include "device.h"

#define PLACES 100u /* the SDK's own limit */

struct place {
    struct device *device; /* NULL: free, or being closed */
    uint32_t uses;         /* how often it has been given out */
    uint32_t visitors;     /* calls inside the device now */
    bool is_closing;
};

static struct place places[PLACES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t somebody_left = PTHREAD_COND_INITIALIZER;

static k4a_device_t handle_of(uint32_t place, uint32_t uses)
{
    return (k4a_device_t)(((uintptr_t)uses << 8) | (place + 1)); /* never NULL */
}

static struct place *find(k4a_device_t handle)
{
    uint32_t number = (uint32_t)((uintptr_t)handle & 0xff);
    if (number == 0 || number > PLACES) {
        return NULL;
    }
    struct place *place = &places[number - 1];
    return place->device != NULL && handle_of(number - 1, place->uses) == handle ? place : NULL;
}

k4a_device_t device_register(struct device *device)
{
    k4a_device_t handle = NULL;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < PLACES && handle == NULL; i++) {
        if (places[i].device == NULL && !places[i].is_closing) {
            places[i].device = device;
            places[i].uses++;
            handle = handle_of(i, places[i].uses);
        }
    }
    pthread_mutex_unlock(&lock);
    return handle;
}

struct device *device_enter(k4a_device_t handle)
{
    struct device *device = NULL;
    pthread_mutex_lock(&lock);
    struct place *place = find(handle);
    if (place != NULL) {
        place->visitors++;
        device = place->device;
    }
    pthread_mutex_unlock(&lock);
    return device;
}

void device_leave(k4a_device_t handle)
{
    /* The place is still the one that was entered: it is not given out again before its last visitor has left. */
    struct place *place = &places[((uintptr_t)handle & 0xff) - 1];
    pthread_mutex_lock(&lock);
    place->visitors--;
    if (place->visitors == 0) {
        pthread_cond_broadcast(&somebody_left);
    }
    pthread_mutex_unlock(&lock);
}

struct device *device_unregister(k4a_device_t handle, void (*interrupt)(struct device *))
{
    pthread_mutex_lock(&lock);
    struct place *place = find(handle);
    if (place == NULL) {
        pthread_mutex_unlock(&lock);
        return NULL;
    }
    struct device *device = place->device;
    place->device = NULL;
    place->is_closing = true;
    pthread_mutex_unlock(&lock);
    interrupt(device);
    pthread_mutex_lock(&lock);
    while (place->visitors > 0) {
        pthread_cond_wait(&somebody_left, &lock);
    }
    place->is_closing = false;
    pthread_mutex_unlock(&lock);
    return device;
}
