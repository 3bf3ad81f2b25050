/* A libk4a without cameras, for tests: it does what it is told through the fake_ functions, counts what is alive, and
 * says why through the log handler before it answers FAILED.
 *
 * -DORBBEC: has the function by which Orbbec's wrapper is known, and its jacks.
 * -DOLD: lacks a function that came with 1.4. -DVIRTUAL: has the mark of genlock's virtual rig.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEVICES 3
#define API __attribute__((visibility("default")))

typedef struct { uint32_t major, minor, iteration; } version_t;
typedef struct { version_t rgb, depth, audio, depth_sensor; int build, signature; } hardware_version_t;
typedef struct { float temperature, acc[3]; uint64_t acc_usec; float gyro[3]; uint64_t gyro_usec; } imu_sample_t;
typedef struct {
    int color_format, color_resolution, depth_mode, camera_fps;
    bool synchronized_images_only;
    int32_t depth_delay;
    int wired_sync_mode;
    uint32_t subordinate_delay;
    bool disable_streaming_indicator;
} config_t;
typedef struct { int references, format, width, height, stride; size_t size; uint8_t *buffer; uint64_t usec; } image_t;
typedef struct { int references; image_t *images[3]; } capture_t;
typedef struct {
    bool is_open, streams, imu_runs, is_gone;
    int pending, imu_pending, delivered, powerline, believed_powerline, powerline_sets, exposure, open_calls, close_calls;
    uint64_t imu_usec[64];
    config_t config;
} device_t;
typedef void log_t(void *, int, const char *, int, const char *);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static device_t devices[DEVICES];
static int installed = DEVICES, live_images, live_captures, color_format, short_by, closed_while_called, calls_inside;
static bool keeps_serial, hangs, refuses_start, refuses_imu, jacks_fail, other_program;
static log_t *handler;

static int fail(const char *why) {
    log_t *tell = handler;
    if (tell) tell(NULL, 1, "fake_k4a.c", __LINE__, why);
    return 1;
}
static int deny(const char *why) { fail(why); return 1; }
static device_t *of(void *handle) { return (device_t *)handle; }

/* ---- what a C compiler makes of the SDK's structs ---------------------------------------------------------------- */
API size_t fake_layout(int which) {
    size_t layout[] = {
        sizeof(config_t), offsetof(config_t, depth_delay), offsetof(config_t, disable_streaming_indicator),
        sizeof(hardware_version_t), offsetof(hardware_version_t, signature),
        sizeof(imu_sample_t), offsetof(imu_sample_t, acc_usec), offsetof(imu_sample_t, gyro_usec),
    };
    return layout[which];
}

/* ---- what a test says and asks --------------------------------------------------------------------------------- */
API void fake_reset(void) {
    memset(devices, 0, sizeof devices);
    for (int i = 0; i < DEVICES; i++) { devices[i].powerline = 1; devices[i].believed_powerline = 2; }
    installed = DEVICES; color_format = 0; short_by = 0; closed_while_called = 0;
    refuses_start = refuses_imu = jacks_fail = other_program = keeps_serial = false;
}
API void fake_install(int count) { installed = count; }
API void fake_other_program(bool has_first) { other_program = has_first; }
API void fake_color_format(int format) { color_format = format; }
API void fake_short_by(int bytes) { short_by = bytes; }
API void fake_refuse_start(bool start, bool imu) { refuses_start = start; refuses_imu = imu; }
API void fake_jacks_fail(bool is_so) { jacks_fail = is_so; }
API int fake_live_images(void) { return live_images; }
API int fake_live_captures(void) { return live_captures; }
API int fake_streaming(void) { int n = 0; for (int i = 0; i < DEVICES; i++) n += devices[i].streams; return n; }
API int fake_open(void) { int n = 0; for (int i = 0; i < DEVICES; i++) n += devices[i].is_open; return n; }
API int fake_open_calls(int i) { return devices[i].open_calls; }
API int fake_powerline_sets(int i) { return devices[i].powerline_sets; }
API int fake_exposure(int i) { return devices[i].exposure; }
API int fake_closed_while_called(void) { return closed_while_called; }
API bool fake_has_handler(void) { return handler != NULL; }
API void fake_config(int i, config_t *out) { *out = devices[i].config; }
API void fake_deliver(int i, int count) {
    pthread_mutex_lock(&lock);
    devices[i].pending += count;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
API void fake_imu(int i, uint64_t usec) { devices[i].imu_usec[devices[i].imu_pending++] = usec; }
API void fake_hang(bool is_so) {
    pthread_mutex_lock(&lock);
    hangs = is_so;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
static int hanging;
API void fake_wait_for_hang(void) {
    pthread_mutex_lock(&lock);
    while (hangs && !hanging) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}
static void hang(void) {
    pthread_mutex_lock(&lock);
    hanging++;
    pthread_cond_broadcast(&changed);
    while (hangs) pthread_cond_wait(&changed, &lock);
    hanging--;
    pthread_mutex_unlock(&lock);
}
API void fake_unplug(int i) {
    pthread_mutex_lock(&lock);
    devices[i].is_gone = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
API void fake_keep_serial(bool is_so) { keeps_serial = is_so; }
API void fake_say(int level, const char *message) { if (handler) handler(NULL, level, "fake_k4a.c", 7, message); }
static void *say_from_a_thread(void *message) { fake_say(1, message); return NULL; }
API void fake_say_from_a_thread(const char *message) {
    pthread_t thread;
    pthread_create(&thread, NULL, say_from_a_thread, (void *)message);
    pthread_join(thread, NULL);
}

/* ---- the SDK's functions --------------------------------------------------------------------------------------- */
API int k4a_set_debug_message_handler(log_t *callback, void *context, int level) {
    (void)context; (void)level;
    handler = callback;
    return 0;
}
API uint32_t k4a_device_get_installed_count(void) { return installed; }
API int k4a_device_open(uint32_t index, void **out) {
    if (index >= (uint32_t)installed) return deny("no such device");
    device_t *device = &devices[index];
    device->open_calls++;
    if (device->is_open || (other_program && index == 0)) return deny("libusb: resource busy");
    device->is_open = true;
    device->believed_powerline = 2;
    *out = device;
    return 0;
}
API void k4a_device_close(void *handle) {
    pthread_mutex_lock(&lock);
    closed_while_called += calls_inside > 0;
    of(handle)->is_open = of(handle)->streams = of(handle)->imu_runs = false;
    pthread_mutex_unlock(&lock);
}
static int text_out(const char *text, char *buffer, size_t *size) {
    size_t needed = strlen(text) + 1;
    bool fits = buffer && *size >= needed;
    *size = needed;
    if (!fits) return 2;
    memcpy(buffer, text, needed);
    return 0;
}
API int k4a_device_get_serialnum(void *handle, char *buffer, size_t *size) {
    if (of(handle)->is_gone && !keeps_serial) return deny("usb: no device");
    char serial[16];
    snprintf(serial, sizeof serial, "%012d", (int)(of(handle) - devices) + 1);
    return text_out(serial, buffer, size);
}
API int k4a_device_get_raw_calibration(void *handle, char *buffer, size_t *size) {
    if (of(handle)->is_gone) return deny("usb: no device");
    return text_out("{\"CalibrationInformation\": {}}", buffer, size);
}
API int k4a_device_get_version(void *handle, hardware_version_t *out) {
    if (of(handle)->is_gone) return deny("usb: no device");
    memset(out, 0, sizeof *out);
#ifdef ORBBEC
    out->depth = (version_t){1, 1, 2};
    out->signature = 2;
#else
    out->rgb = (version_t){1, 6, 110};
    out->depth = (version_t){1, 6, 80};
#endif
    return 0;
}
API int k4a_device_get_sync_jack(void *handle, bool *in, bool *out) {
    hang();
    if (jacks_fail || of(handle)->is_gone) return deny("usb: no device");
#ifdef ORBBEC
    *in = *out = false;
#else
    *in = of(handle) != devices;  /* the first device is the master of a chain */
    *out = of(handle) != &devices[DEVICES - 1];
#endif
    return 0;
}
API int k4a_device_get_color_control_capabilities(void *handle, int command, bool *has_auto, int32_t *low, int32_t *high,
                                                  int32_t *step, int32_t *normal, int *mode) {
    (void)handle;
    *has_auto = command == 0 || command == 6;
    *low = command == 6 ? 2500 : 0; *high = command == 6 ? 12500 : command == 0 ? 133330 : 255;
    *step = command == 6 ? 10 : 1; *normal = 1; *mode = 0;
    return 0;
}
API int k4a_device_set_color_control(void *handle, int command, int mode, int32_t value) {
    device_t *device = of(handle);
    if (command == 9) {
        if (value != 1 && value != 2) return deny("powerline must be 1 or 2");
        device->powerline = device->believed_powerline = value;
        device->powerline_sets++;
        return 0;
    }
#ifdef ORBBEC
    if (command == 0) { device->exposure = value / 100 * 100; return 0; }
#endif
    if (command == 0) {  /* the two table entries that the tests use */
        device->exposure = mode == 0 ? 0 : device->believed_powerline == 1 ? 10000 : 8330;
        return 0;
    }
    if (mode == 0 && command != 6) return deny("no auto");
    if (command == 6 && mode == 1 && (value < 2500 || value > 12500 || value % 10)) return deny("v4l2: invalid argument");
    if (command == 8 && value == 13) return deny("v4l2: the camera did not answer");
    if (command == 8 && value > 255) return deny("v4l2: out of range");
    return 0;
}
API int k4a_device_get_color_control(void *handle, int command, int *mode, int32_t *value) {
    if (of(handle)->is_gone) return deny("usb: no device");
#ifdef ORBBEC
    if (command == 0 || command == 6)  /* the other modes stay as they were */
#endif
    *mode = command == 0 ? of(handle)->exposure > 0 : 1;
    *value = command == 9 ? of(handle)->powerline : command == 0 ? of(handle)->exposure : 128;
    return 0;
}
API int k4a_device_start_cameras(void *handle, const config_t *config) {
    hang();
    if (refuses_start) { fail("depthmcu: the true cause"); return fail("its echo"); }
    of(handle)->config = *config;
    of(handle)->streams = true;
    return 0;
}
API void k4a_device_stop_cameras(void *handle) {
    pthread_mutex_lock(&lock);
    of(handle)->streams = false;
    of(handle)->pending = 0;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}
API int k4a_device_start_imu(void *handle) {
    if (refuses_imu || !of(handle)->streams) return deny("imu: no answer");
    of(handle)->imu_runs = true;
    return 0;
}
API void k4a_device_stop_imu(void *handle) { of(handle)->imu_runs = false; }

static image_t *new_image(int format, int width, int height, int row_bytes, int padding, int rows) {
    image_t *image = calloc(1, sizeof *image);
    image->references = 1; image->format = format; image->width = width; image->height = height;
    image->stride = format == 0 ? 0 : row_bytes + padding;
    image->size = (format == 0 ? (size_t)row_bytes : (size_t)image->stride * rows) - short_by;
    image->buffer = malloc((size_t)(row_bytes + padding) * rows);
    for (int i = 0; i < (row_bytes + padding) * rows; i++) image->buffer[i] = (uint8_t)i;
    live_images++;
    return image;
}
static capture_t *new_capture(device_t *device) {
    static const int color_row[] = {7, 4, 8, 16};
    capture_t *capture = calloc(1, sizeof *capture);
    capture->references = 1;
    live_captures++;
    capture->images[0] = new_image(color_format, 4, 2, color_format > 3 ? 8 : color_row[color_format],
                                   
#ifdef ORBBEC
                                   0,
#else
                                   color_format ? 8 : 0,
#endif
                                   color_format == 0 ? 1 : color_format == 1 ? 3 : 2);
    capture->images[1] = new_image(4, 4, 3, 8, 8, 3);
    capture->images[2] = new_image(5, 4, 3, 8, 0, 3);
    for (int i = 0; i < 3; i++) capture->images[i]->usec = 33333ull * (device->delivered + 1);
    device->delivered++;
    return capture;
}
API int k4a_device_get_capture(void *handle, void **out, int32_t timeout_msec) {
    device_t *device = of(handle);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)(timeout_msec % 1000) * 1000000;
    until.tv_sec += timeout_msec / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    int result = 2;
    pthread_mutex_lock(&lock);
    calls_inside++;
    for (;;) {
        if (device->is_gone || !device->streams) { result = 1; break; }
        if (device->pending > 0) { device->pending--; *out = new_capture(device); result = 0; break; }
        if (timeout_msec >= 0 && pthread_cond_timedwait(&changed, &lock, &until)) break;
    }
    bool was_unplugged = device->is_gone;
    calls_inside--;
    pthread_mutex_unlock(&lock);
#ifdef ORBBEC
    if (result == 2) fake_say(2, "frame_queue_pop timeout");
#endif
    if (result == 1 && was_unplugged) fail("usb: LIBUSB_TRANSFER_NO_DEVICE");
    return result;
}
API int k4a_device_get_imu_sample(void *handle, imu_sample_t *out, int32_t timeout_msec) {
    device_t *device = of(handle);
    (void)timeout_msec;
    if (!device->imu_runs) return 1;
    if (!device->imu_pending) return 2;
    *out = (imu_sample_t){36.5f, {0, 0, 9.81f}, device->imu_usec[0], {0.1f, 0.2f, 0.3f}, device->imu_usec[0] + 1};
    memmove(device->imu_usec, device->imu_usec + 1, sizeof(uint64_t) * --device->imu_pending);
    return 0;
}
API void k4a_image_release(void *handle) {
    image_t *image = handle;
    if (--image->references) return;
    memset(image->buffer, 0xEE, image->size);
    free(image->buffer);
    free(image);
    live_images--;
}
API void k4a_capture_release(void *handle) {
    capture_t *capture = handle;
    if (--capture->references) return;
    for (int i = 0; i < 3; i++) if (capture->images[i]) k4a_image_release(capture->images[i]);
    free(capture);
    live_captures--;
}
static void *get_image(void *handle, int which) {
    image_t *image = ((capture_t *)handle)->images[which];
    if (image) image->references++;
    return image;
}
API void *k4a_capture_get_color_image(void *handle) { return get_image(handle, 0); }
API void *k4a_capture_get_depth_image(void *handle) { return get_image(handle, 1); }
API void *k4a_capture_get_ir_image(void *handle) { return get_image(handle, 2); }
API float k4a_capture_get_temperature_c(void *handle) { (void)handle; return 41.5f; }
API void *k4a_image_get_buffer(void *handle) { return ((image_t *)handle)->buffer; }
API size_t k4a_image_get_size(void *handle) { return ((image_t *)handle)->size; }
API int k4a_image_get_format(void *handle) { return ((image_t *)handle)->format; }
API int k4a_image_get_width_pixels(void *handle) { return ((image_t *)handle)->width; }
API int k4a_image_get_height_pixels(void *handle) { return ((image_t *)handle)->height; }
API int k4a_image_get_stride_bytes(void *handle) {
#ifdef ORBBEC
    if (((image_t *)handle)->format == 1) return 0;
#endif
    return ((image_t *)handle)->stride;
}
API uint64_t k4a_image_get_device_timestamp_usec(void *handle) { return ((image_t *)handle)->usec; }
#ifndef OLD
API uint64_t k4a_image_get_system_timestamp_nsec(void *handle) { (void)handle; return 123456789ull; }
#endif
static uint32_t metadata(uint32_t value) {
#ifdef ORBBEC
    fake_say(2, "get metadata failed");
#endif
    return value;
}
API uint64_t k4a_image_get_exposure_usec(void *handle) { (void)handle; return metadata(8330); }
API uint32_t k4a_image_get_white_balance(void *handle) { (void)handle; return metadata(4500); }
API uint32_t k4a_image_get_iso_speed(void *handle) { (void)handle; return metadata(100); }
#ifdef VIRTUAL
API const char genlock_virtual_rig[] = "1";
#endif
#ifdef ORBBEC
API int k4a_device_switch_device_clock_sync_mode(void *handle, int mode, uint32_t param) {
    (void)handle; (void)mode; (void)param;
    return 0;
}
#endif
