/*
 * The part of libk4a's binary interface that a client of its device functions sees: opaque handles, enumerations as
 * 32-bit numbers, structures of fixed layout. Written from the interface's documented names and values; the sizes are
 * measured against the real library by the tests.
 */
#ifndef GENLOCK_K4A_ABI_H
#define GENLOCK_K4A_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct k4a_opaque_device *k4a_device_t;
typedef struct k4a_opaque_capture *k4a_capture_t;
typedef struct k4a_opaque_image *k4a_image_t;
typedef struct k4a_opaque_calibration k4a_calibration_t;

/* Results: of plain calls, of calls that fill a buffer, of calls that wait. */
typedef enum { K4A_SUCCEEDED = 0, K4A_FAILED = 1 } k4a_result_t;
typedef enum { K4A_BUFFER_SUCCEEDED = 0, K4A_BUFFER_FAILED = 1, K4A_BUFFER_TOO_SMALL = 2 } k4a_buffer_result_t;
typedef enum { K4A_WAIT_SUCCEEDED = 0, K4A_WAIT_FAILED = 1, K4A_WAIT_TIMEOUT = 2 } k4a_wait_result_t;

/* Enumerations that only pass through: any number may come from a careless client, so they are plain integers. */
typedef int32_t k4a_image_format_t;
typedef int32_t k4a_depth_mode_t;
typedef int32_t k4a_color_resolution_t;
typedef int32_t k4a_color_control_command_t;
typedef int32_t k4a_color_control_mode_t;

typedef struct {
    int32_t color_format;
    int32_t color_resolution;
    int32_t depth_mode;
    int32_t camera_fps;
    bool synchronized_images_only;
    int32_t depth_delay_off_color_usec;
    int32_t wired_sync_mode;
    uint32_t subordinate_delay_off_master_usec;
    bool disable_streaming_indicator;
} k4a_device_configuration_t;

typedef struct {
    float temperature;
    float acc_sample[3];
    uint64_t acc_timestamp_usec;
    float gyro_sample[3];
    uint64_t gyro_timestamp_usec;
} k4a_imu_sample_t;

typedef struct {
    uint32_t major;
    uint32_t minor;
    uint32_t iteration;
} k4a_version_t;

typedef struct {
    k4a_version_t rgb;
    k4a_version_t depth;
    k4a_version_t audio;
    k4a_version_t depth_sensor;
    uint32_t firmware_build;
    uint32_t firmware_signature;
} k4a_hardware_version_t;

_Static_assert(sizeof(k4a_device_configuration_t) == 36, "as libk4a 1.4 has it");
_Static_assert(sizeof(k4a_imu_sample_t) == 48, "as libk4a 1.4 has it");
_Static_assert(sizeof(k4a_hardware_version_t) == 56, "as libk4a 1.4 has it");

#endif
