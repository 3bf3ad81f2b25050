/* Opened devices and their handles. */
#ifndef GENLOCK_DEVICE_H
#define GENLOCK_DEVICE_H

#include "protocol.h"
#include "stream.h"

#include <pthread.h>

struct device {
    int connection;
    pthread_mutex_t asking; /* one request at a time */
    struct genlock_identity identity;
    char *calibration; /* identity.calibration_bytes, its NUL included */
    pthread_mutex_t streaming; /* guards what follows */
    struct stream *stream; /* of the last start; NULL before it */
};

/* A handle for a newly opened device; NULL where a hundred are open. */
k4a_device_t device_register(struct device *device);

/*
 * The device behind a handle, which cannot be closed until `device_leave`; NULL for NULL, for nonsense, and for a
 * handle that was closed, so that calling with one fails instead of crashing.
 */
struct device *device_enter(k4a_device_t handle);
void device_leave(k4a_device_t handle);

/*
 * Takes the handle out of use: later calls do not find it, `interrupt` ends those that wait, and once all have left
 * the device is the caller's. NULL where the handle meant nothing.
 */
struct device *device_unregister(k4a_device_t handle, void (*interrupt)(struct device *));

#endif
