/*
 * The device functions of libk4a, over a device of the virtual rig. Rules about devices are the rig's: here a refusal
 * is a reply like another. Everything that is no device function is the real libk4a's.
 */
#define _GNU_SOURCE
#include "control.h"
#include "device.h"
#include "real.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

/* By this name genlock's native backend knows that no cameras are behind the library, and calls takes simulated. */
EXPORTED const char genlock_virtual_rig[] = "1";

EXPORTED uint32_t k4a_device_get_installed_count(void);
EXPORTED k4a_result_t k4a_device_open(uint32_t index, k4a_device_t *handle);
EXPORTED void k4a_device_close(k4a_device_t handle);
EXPORTED k4a_wait_result_t k4a_device_get_capture(k4a_device_t handle, k4a_capture_t *capture, int32_t timeout_msec);
EXPORTED k4a_wait_result_t k4a_device_get_imu_sample(k4a_device_t handle, k4a_imu_sample_t *sample,
                                                     int32_t timeout_msec);
EXPORTED k4a_result_t k4a_device_start_cameras(k4a_device_t handle, const k4a_device_configuration_t *configuration);
EXPORTED void k4a_device_stop_cameras(k4a_device_t handle);
EXPORTED k4a_result_t k4a_device_start_imu(k4a_device_t handle);
EXPORTED void k4a_device_stop_imu(k4a_device_t handle);
EXPORTED k4a_buffer_result_t k4a_device_get_serialnum(k4a_device_t handle, char *serial_number, size_t *size);
EXPORTED k4a_result_t k4a_device_get_version(k4a_device_t handle, k4a_hardware_version_t *version);
EXPORTED k4a_result_t k4a_device_get_sync_jack(k4a_device_t handle, bool *sync_in, bool *sync_out);
EXPORTED k4a_result_t k4a_device_get_color_control_capabilities(k4a_device_t handle,
                                                                k4a_color_control_command_t command,
                                                                bool *supports_auto, int32_t *min, int32_t *max,
                                                                int32_t *step, int32_t *default_value,
                                                                k4a_color_control_mode_t *default_mode);
EXPORTED k4a_result_t k4a_device_get_color_control(k4a_device_t handle, k4a_color_control_command_t command,
                                                   k4a_color_control_mode_t *mode, int32_t *value);
EXPORTED k4a_result_t k4a_device_set_color_control(k4a_device_t handle, k4a_color_control_command_t command,
                                                   k4a_color_control_mode_t mode, int32_t value);
EXPORTED k4a_buffer_result_t k4a_device_get_raw_calibration(k4a_device_t handle, uint8_t *calibration, size_t *size);
EXPORTED k4a_result_t k4a_device_get_calibration(k4a_device_t handle, k4a_depth_mode_t depth_mode,
                                                 k4a_color_resolution_t color_resolution,
                                                 k4a_calibration_t *calibration);

/* ---- asking the rig --------------------------------------------------------------------------------------------- */

static struct genlock_request request_for(enum genlock_operation operation)
{
    return (struct genlock_request){.protocol = GENLOCK_PROTOCOL, .operation = operation};
}

static bool ask(struct device *device, const struct genlock_request *request, struct genlock_reply *reply,
                int *descriptor)
{
    pthread_mutex_lock(&device->asking);
    bool is_answered = control_ask(device->connection, request, reply, NULL, NULL, descriptor);
    pthread_mutex_unlock(&device->asking);
    return is_answered && reply->result == K4A_SUCCEEDED;
}

static k4a_result_t ask_simply(struct device *device, enum genlock_operation operation)
{
    struct genlock_request request = request_for(operation);
    struct genlock_reply reply;
    return ask(device, &request, &reply, NULL) ? K4A_SUCCEEDED : K4A_FAILED;
}

/* ---- opening and closing ---------------------------------------------------------------------------------------- */

uint32_t k4a_device_get_installed_count(void)
{
    struct genlock_request request = request_for(GENLOCK_COUNT);
    struct genlock_reply reply;
    int connection = control_connect();
    if (connection < 0) {
        return 0;
    }
    bool is_answered = control_ask(connection, &request, &reply, NULL, NULL, NULL);
    close(connection);
    return is_answered && reply.result == K4A_SUCCEEDED ? (uint32_t)reply.values[0] : 0;
}

static void free_device(struct device *device)
{
    stream_release(device->stream);
    close(device->connection); /* where CLOSE did not reach the rig, this does */
    pthread_mutex_destroy(&device->asking);
    pthread_mutex_destroy(&device->streaming);
    free(device->calibration);
    free(device);
}

/* Opens the device over this connection, which is closed where that fails. */
static struct device *open_over(int connection, uint32_t index)
{
    struct genlock_request request = request_for(GENLOCK_OPEN);
    struct genlock_reply reply;
    size_t extra_bytes = GENLOCK_MAX_REPLY_BYTES;
    char *extra = malloc(extra_bytes);
    struct device *device = calloc(1, sizeof(*device));
    request.arguments[0] = (int32_t)index;
    bool is_open = extra != NULL && device != NULL &&
                   control_ask(connection, &request, &reply, extra, &extra_bytes, NULL) &&
                   reply.result == K4A_SUCCEEDED && extra_bytes >= sizeof(device->identity);
    if (is_open) {
        memcpy(&device->identity, extra, sizeof(device->identity));
        device->calibration = malloc(device->identity.calibration_bytes + 1u);
        is_open = device->calibration != NULL &&
                  extra_bytes == sizeof(device->identity) + device->identity.calibration_bytes;
    }
    if (!is_open) {
        if (device != NULL) {
            free(device->calibration);
        }
        free(device);
        free(extra);
        close(connection);
        return NULL;
    }
    memcpy(device->calibration, extra + sizeof(device->identity), device->identity.calibration_bytes);
    free(extra);
    device->connection = connection;
    pthread_mutex_init(&device->asking, NULL);
    pthread_mutex_init(&device->streaming, NULL);
    return device;
}

k4a_result_t k4a_device_open(uint32_t index, k4a_device_t *handle)
{
    if (handle == NULL || index > INT32_MAX) {
        return K4A_FAILED;
    }
    int connection = control_connect();
    struct device *device = connection < 0 ? NULL : open_over(connection, index);
    if (device == NULL) {
        return K4A_FAILED;
    }
    k4a_device_t registered = device_register(device);
    if (registered == NULL) {
        free_device(device);
        return K4A_FAILED;
    }
    *handle = registered; /* untouched where anything failed */
    return K4A_SUCCEEDED;
}

/* Ends every wait for a capture or a sample. */
static void interrupt(struct device *device)
{
    pthread_mutex_lock(&device->streaming);
    if (device->stream != NULL) {
        stream_run_cameras(device->stream, false);
        stream_run_imu(device->stream, false);
    }
    pthread_mutex_unlock(&device->streaming);
}

void k4a_device_close(k4a_device_t handle)
{
    struct device *device = device_unregister(handle, interrupt);
    if (device != NULL) {
        (void)ask_simply(device, GENLOCK_CLOSE); /* so that it can be opened again as soon as this returns */
        free_device(device);
    }
}

/* ---- streaming -------------------------------------------------------------------------------------------------- */

/* The stream of the last start, referenced; NULL before the first. */
static struct stream *stream_of(struct device *device)
{
    pthread_mutex_lock(&device->streaming);
    struct stream *stream = device->stream == NULL ? NULL : stream_reference(device->stream);
    pthread_mutex_unlock(&device->streaming);
    return stream;
}

static void replace_stream(struct device *device, struct stream *stream)
{
    pthread_mutex_lock(&device->streaming);
    struct stream *last = device->stream;
    device->stream = stream;
    pthread_mutex_unlock(&device->streaming);
    stream_release(last);
}

/* The SDK's variable against joining color and depth into captures (capturesync.c). */
static bool keeps_images_apart(void)
{
    const char *value = getenv("K4A_DISABLE_SYNCHRONIZATION");
    return value != NULL && value[0] != '\0' && value[0] != '0';
}

static k4a_result_t start(struct device *device, const k4a_device_configuration_t *configuration)
{
    struct genlock_request request = request_for(GENLOCK_START);
    struct genlock_reply reply;
    int descriptor = -1;
    int32_t fields[] = {
        configuration->color_format,
        configuration->color_resolution,
        configuration->depth_mode,
        configuration->camera_fps,
        configuration->synchronized_images_only,
        configuration->depth_delay_off_color_usec,
        configuration->wired_sync_mode,
        (int32_t)configuration->subordinate_delay_off_master_usec,
        configuration->disable_streaming_indicator,
        keeps_images_apart(),
    };
    memcpy(request.arguments, fields, sizeof(fields));
    if (!ask(device, &request, &reply, &descriptor)) {
        return K4A_FAILED;
    }
    struct stream *stream = descriptor < 0 ? NULL : stream_open(descriptor);
    if (stream == NULL) {
        (void)ask_simply(device, GENLOCK_STOP);
        return K4A_FAILED;
    }
    stream_run_cameras(stream, true);
    replace_stream(device, stream);
    return K4A_SUCCEEDED;
}

k4a_result_t k4a_device_start_cameras(k4a_device_t handle, const k4a_device_configuration_t *configuration)
{
    struct device *device = configuration == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_FAILED;
    }
    k4a_result_t result = start(device, configuration);
    device_leave(handle);
    return result;
}

void k4a_device_stop_cameras(k4a_device_t handle)
{
    struct device *device = device_enter(handle);
    if (device == NULL) {
        return;
    }
    struct stream *stream = stream_of(device);
    if (stream != NULL) {
        stream_run_cameras(stream, false); /* first, as the SDK: who waits need not wait for the device to stop */
        (void)ask_simply(device, GENLOCK_STOP);
        stream_release(stream);
    }
    device_leave(handle);
}

k4a_result_t k4a_device_start_imu(k4a_device_t handle)
{
    struct device *device = device_enter(handle);
    if (device == NULL) {
        return K4A_FAILED;
    }
    k4a_result_t result = K4A_FAILED;
    struct stream *stream = stream_of(device);
    if (stream != NULL) {
        stream_forget_imu(stream);
        result = ask_simply(device, GENLOCK_START_IMU);
        if (result == K4A_SUCCEEDED) {
            stream_run_imu(stream, true);
        }
        stream_release(stream);
    }
    device_leave(handle);
    return result;
}

void k4a_device_stop_imu(k4a_device_t handle)
{
    struct device *device = device_enter(handle);
    if (device == NULL) {
        return;
    }
    struct stream *stream = stream_of(device);
    if (stream != NULL) {
        stream_run_imu(stream, false);
        (void)ask_simply(device, GENLOCK_STOP_IMU);
        stream_release(stream);
    }
    device_leave(handle);
}

k4a_wait_result_t k4a_device_get_capture(k4a_device_t handle, k4a_capture_t *capture, int32_t timeout_msec)
{
    struct device *device = capture == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_WAIT_FAILED;
    }
    k4a_wait_result_t result = K4A_WAIT_FAILED;
    struct stream *stream = stream_of(device);
    if (stream != NULL) {
        result = stream_take_capture(stream, device->connection, capture, timeout_msec);
        stream_release(stream);
    }
    device_leave(handle);
    return result;
}

k4a_wait_result_t k4a_device_get_imu_sample(k4a_device_t handle, k4a_imu_sample_t *sample, int32_t timeout_msec)
{
    struct device *device = sample == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_WAIT_FAILED;
    }
    k4a_wait_result_t result = K4A_WAIT_FAILED;
    struct stream *stream = stream_of(device);
    if (stream != NULL) {
        result = stream_take_imu(stream, device->connection, sample, timeout_msec);
        stream_release(stream);
    }
    device_leave(handle);
    return result;
}

/* ---- who it is -------------------------------------------------------------------------------------------------- */

/* The SDK's protocol for answers of unknown size: asked with too little room, it tells how much is needed. */
static k4a_buffer_result_t give(const void *answer, size_t bytes, void *buffer, size_t *size)
{
    bool fits = buffer != NULL && *size >= bytes;
    if (fits) {
        memcpy(buffer, answer, bytes);
    }
    *size = bytes;
    return fits ? K4A_BUFFER_SUCCEEDED : K4A_BUFFER_TOO_SMALL;
}

k4a_buffer_result_t k4a_device_get_serialnum(k4a_device_t handle, char *serial_number, size_t *size)
{
    struct device *device = size == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_BUFFER_FAILED;
    }
    const char *serial = device->identity.serial_number;
    size_t bytes = strnlen(serial, sizeof(device->identity.serial_number) - 1) + 1;
    k4a_buffer_result_t result = give(serial, bytes, serial_number, size);
    device_leave(handle);
    return result;
}

k4a_buffer_result_t k4a_device_get_raw_calibration(k4a_device_t handle, uint8_t *calibration, size_t *size)
{
    struct device *device = size == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_BUFFER_FAILED;
    }
    k4a_buffer_result_t result = give(device->calibration, device->identity.calibration_bytes, calibration, size);
    device_leave(handle);
    return result;
}

k4a_result_t k4a_device_get_version(k4a_device_t handle, k4a_hardware_version_t *version)
{
    struct device *device = version == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_FAILED;
    }
    memcpy(version, device->identity.version, sizeof(*version));
    device_leave(handle);
    return K4A_SUCCEEDED;
}

k4a_result_t k4a_device_get_calibration(k4a_device_t handle, k4a_depth_mode_t depth_mode,
                                        k4a_color_resolution_t color_resolution, k4a_calibration_t *calibration)
{
    const struct real_k4a *real = real_k4a();
    struct device *device = real == NULL || calibration == NULL ? NULL : device_enter(handle);
    if (device == NULL) {
        return K4A_FAILED;
    }
    k4a_result_t result = real->calibration_get_from_raw(device->calibration, device->identity.calibration_bytes,
                                                         depth_mode, color_resolution, calibration);
    device_leave(handle);
    return result;
}

/* ---- jacks and color controls ----------------------------------------------------------------------------------- */

/* A question about an opened device, which nobody closes meanwhile; false without a handle that is one, or a refusal. */
static bool ask_about(k4a_device_t handle, const struct genlock_request *request, struct genlock_reply *reply)
{
    struct device *device = device_enter(handle);
    if (device == NULL) {
        return false;
    }
    bool is_answered = ask(device, request, reply, NULL);
    device_leave(handle);
    return is_answered;
}

k4a_result_t k4a_device_get_sync_jack(k4a_device_t handle, bool *sync_in, bool *sync_out)
{
    struct genlock_request request = request_for(GENLOCK_JACKS);
    struct genlock_reply reply;
    if (sync_in == NULL || sync_out == NULL || !ask_about(handle, &request, &reply)) {
        return K4A_FAILED;
    }
    *sync_in = reply.values[0] != 0;
    *sync_out = reply.values[1] != 0;
    return K4A_SUCCEEDED;
}

k4a_result_t k4a_device_get_color_control_capabilities(k4a_device_t handle, k4a_color_control_command_t command,
                                                       bool *supports_auto, int32_t *min, int32_t *max, int32_t *step,
                                                       int32_t *default_value, k4a_color_control_mode_t *default_mode)
{
    struct genlock_request request = request_for(GENLOCK_CONTROL_RANGE);
    struct genlock_reply reply;
    bool has_room = supports_auto != NULL && min != NULL && max != NULL && step != NULL && default_value != NULL &&
                    default_mode != NULL;
    request.arguments[0] = command;
    if (!has_room || !ask_about(handle, &request, &reply)) {
        return K4A_FAILED;
    }
    *supports_auto = reply.values[0] != 0;
    *min = reply.values[1];
    *max = reply.values[2];
    *step = reply.values[3];
    *default_value = reply.values[4];
    *default_mode = reply.values[5];
    return K4A_SUCCEEDED;
}

k4a_result_t k4a_device_get_color_control(k4a_device_t handle, k4a_color_control_command_t command,
                                          k4a_color_control_mode_t *mode, int32_t *value)
{
    struct genlock_request request = request_for(GENLOCK_CONTROL_GET);
    struct genlock_reply reply;
    request.arguments[0] = command;
    if (mode == NULL || value == NULL || !ask_about(handle, &request, &reply)) {
        return K4A_FAILED;
    }
    *mode = reply.values[0];
    *value = reply.values[1];
    return K4A_SUCCEEDED;
}

k4a_result_t k4a_device_set_color_control(k4a_device_t handle, k4a_color_control_command_t command,
                                          k4a_color_control_mode_t mode, int32_t value)
{
    struct genlock_request request = request_for(GENLOCK_CONTROL_SET);
    struct genlock_reply reply;
    request.arguments[0] = command;
    request.arguments[1] = mode;
    request.arguments[2] = value;
    return ask_about(handle, &request, &reply) ? K4A_SUCCEEDED : K4A_FAILED;
}
