/*
 * A client in C, linked against libk4a like any other: several devices at once, each read by two threads while another
 * starts, stops and closes it. Exit status 0 when everything came as it should. Usage: client ROUNDS CAPTURES
 */
#define _GNU_SOURCE
#include "k4a_abi.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

extern uint32_t k4a_device_get_installed_count(void);
extern k4a_result_t k4a_device_open(uint32_t, k4a_device_t *);
extern void k4a_device_close(k4a_device_t);
extern k4a_wait_result_t k4a_device_get_capture(k4a_device_t, k4a_capture_t *, int32_t);
extern k4a_wait_result_t k4a_device_get_imu_sample(k4a_device_t, k4a_imu_sample_t *, int32_t);
extern k4a_result_t k4a_device_start_cameras(k4a_device_t, const k4a_device_configuration_t *);
extern void k4a_device_stop_cameras(k4a_device_t);
extern k4a_result_t k4a_device_start_imu(k4a_device_t);
extern void k4a_device_stop_imu(k4a_device_t);
extern k4a_buffer_result_t k4a_device_get_serialnum(k4a_device_t, char *, size_t *);
extern k4a_image_t k4a_capture_get_ir_image(k4a_capture_t);
extern uint8_t *k4a_image_get_buffer(k4a_image_t);
extern size_t k4a_image_get_size(k4a_image_t);
extern void k4a_image_release(k4a_image_t);
extern void k4a_capture_release(k4a_capture_t);

#define MAX_DEVICES 4
#define HOARD 20 /* more than the library lends without copying */

static long captures_wanted;
static _Atomic long failures;

struct reader {
    k4a_device_t device;
    pthread_t thread;
    _Atomic long *captures;
};

static void expect(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "not so: %s\n", what);
        failures++;
    }
}

/* Touches every byte, writes some: images are the client's. */
static void look_at(k4a_capture_t capture)
{
    k4a_image_t ir = k4a_capture_get_ir_image(capture);
    if (ir != NULL) {
        uint8_t *pixels = k4a_image_get_buffer(ir);
        size_t bytes = k4a_image_get_size(ir);
        uint32_t sum = 0;
        for (size_t i = 0; i < bytes; i++) {
            sum += pixels[i];
        }
        pixels[0] = (uint8_t)sum;
        pixels[bytes - 1] = (uint8_t)sum;
        k4a_image_release(ir);
    }
}

static void *read_captures(void *argument)
{
    struct reader *reader = argument;
    k4a_capture_t hoard[HOARD];
    int hoarded = 0;
    k4a_wait_result_t result;
    k4a_capture_t capture;
    while ((result = k4a_device_get_capture(reader->device, &capture, 5000)) == K4A_WAIT_SUCCEEDED) {
        look_at(capture);
        hoard[hoarded++] = capture;
        (*reader->captures)++;
        if (hoarded == HOARD) {
            while (hoarded > 0) {
                k4a_capture_release(hoard[--hoarded]);
            }
        }
    }
    expect(result == K4A_WAIT_FAILED, "a wait ends with a failure when the cameras stop");
    while (hoarded > 0) {
        k4a_capture_release(hoard[--hoarded]);
    }
    return NULL;
}

static void *read_samples(void *argument)
{
    struct reader *reader = argument;
    k4a_imu_sample_t sample;
    int64_t last_usec = -1;
    while (k4a_device_get_imu_sample(reader->device, &sample, 5000) == K4A_WAIT_SUCCEEDED) {
        expect((int64_t)sample.acc_timestamp_usec > last_usec, "samples come in order");
        last_usec = (int64_t)sample.acc_timestamp_usec;
    }
    return NULL;
}

static void *live(void *argument)
{
    uint32_t index = *(uint32_t *)argument;
    k4a_device_configuration_t configuration = {.color_resolution = 1, .depth_mode = 1, .camera_fps = 2};
    k4a_device_t device = NULL;
    char serial_number[32];
    size_t size = sizeof(serial_number);
    expect(k4a_device_open(index, &device) == K4A_SUCCEEDED, "the device opens");
    expect(k4a_device_get_serialnum(device, serial_number, &size) == K4A_BUFFER_SUCCEEDED, "it has a serial number");
    expect(k4a_device_start_cameras(device, &configuration) == K4A_SUCCEEDED, "the cameras start");
    expect(k4a_device_start_imu(device) == K4A_SUCCEEDED, "the IMU starts");
    _Atomic long captures = 0;
    struct reader readers[3] = {{.device = device, .captures = &captures},
                                {.device = device, .captures = &captures},
                                {.device = device, .captures = &captures}};
    pthread_create(&readers[0].thread, NULL, read_captures, &readers[0]);
    pthread_create(&readers[1].thread, NULL, read_captures, &readers[1]);
    pthread_create(&readers[2].thread, NULL, read_samples, &readers[2]);
    while (captures < captures_wanted && failures == 0) {
        struct timespec pause = {.tv_nsec = 5000000};
        nanosleep(&pause, NULL);
    }
    if (index % 2 == 0) { /* every second device is closed while it streams */
        k4a_device_stop_cameras(device);
        k4a_device_stop_imu(device);
    }
    k4a_device_close(device);
    for (int i = 0; i < 3; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : 1;
    captures_wanted = count > 2 ? strtol(arguments[2], NULL, 10) : 30;
    uint32_t devices = k4a_device_get_installed_count();
    expect(devices > 0 && devices <= MAX_DEVICES, "between one and four devices are plugged in");
    for (long round = 0; round < rounds && failures == 0; round++) {
        pthread_t threads[MAX_DEVICES];
        uint32_t indices[MAX_DEVICES];
        for (uint32_t i = 0; i < devices; i++) {
            indices[i] = i;
            pthread_create(&threads[i], NULL, live, &indices[i]);
        }
        for (uint32_t i = 0; i < devices; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    return failures == 0 ? 0 : 1;
}
