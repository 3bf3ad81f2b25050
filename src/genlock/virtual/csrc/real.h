/* What the library borrows from the real libk4a: captures, images, the calibration's reader. */
#ifndef GENLOCK_REAL_H
#define GENLOCK_REAL_H

#include "k4a_abi.h"

typedef void (*buffer_release_t)(void *buffer, void *context);

struct real_k4a {
    k4a_result_t (*capture_create)(k4a_capture_t *);
    void (*capture_release)(k4a_capture_t);
    void (*capture_set_color_image)(k4a_capture_t, k4a_image_t);
    void (*capture_set_depth_image)(k4a_capture_t, k4a_image_t);
    void (*capture_set_ir_image)(k4a_capture_t, k4a_image_t);
    void (*capture_set_temperature_c)(k4a_capture_t, float);
    k4a_result_t (*image_create_from_buffer)(k4a_image_format_t, int, int, int, uint8_t *, size_t, buffer_release_t,
                                             void *, k4a_image_t *);
    void (*image_release)(k4a_image_t);
    void (*image_set_device_timestamp_usec)(k4a_image_t, uint64_t);
    void (*image_set_system_timestamp_nsec)(k4a_image_t, uint64_t);
    void (*image_set_exposure_usec)(k4a_image_t, uint64_t);
    void (*image_set_white_balance)(k4a_image_t, uint32_t);
    void (*image_set_iso_speed)(k4a_image_t, uint32_t);
    k4a_result_t (*calibration_get_from_raw)(char *, size_t, k4a_depth_mode_t, k4a_color_resolution_t,
                                             k4a_calibration_t *);
};

/* The functions of the libk4a that the client uses; NULL where this process has loaded none. */
const struct real_k4a *real_k4a(void);

#endif
