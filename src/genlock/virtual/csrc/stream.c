#define _GNU_SOURCE
#include "stream.h"

#include "bell.h"
#include "control.h"
#include "real.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct stream {
    struct genlock_channel *channel;
    size_t mapped_bytes;
    _Atomic uint32_t references;
    _Atomic uint32_t held;
    _Atomic uint64_t imu_taken;
    _Atomic bool cameras_run;
    _Atomic bool imu_runs;
};

/* A slot that images in the application's hands look into. */
struct loan {
    struct stream *stream;
    struct genlock_slot *slot;
    _Atomic uint32_t images;
};

/* A server that is killed rings no bell: so long may it take until somebody who waits notices. */
#define LONGEST_SLEEP_NSEC INT64_C(200000000)

struct stream *stream_open(int descriptor)
{
    struct stat status;
    struct stream *stream = calloc(1, sizeof(*stream));
    void *memory = MAP_FAILED;
    if (stream != NULL && fstat(descriptor, &status) == 0 && (size_t)status.st_size >= sizeof(struct genlock_channel)) {
        stream->mapped_bytes = (size_t)status.st_size;
        /* Writable: the SDK's images are, and the tags must be. */
        memory = mmap(NULL, stream->mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    }
    close(descriptor);
    if (memory == MAP_FAILED) {
        free(stream);
        return NULL;
    }
    stream->channel = memory;
    atomic_init(&stream->references, 1);
    return stream;
}

struct stream *stream_reference(struct stream *stream)
{
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
    return stream;
}

void stream_release(struct stream *stream)
{
    if (stream != NULL && atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) == 1) {
        munmap(stream->channel, stream->mapped_bytes);
        free(stream);
    }
}

void stream_run_cameras(struct stream *stream, bool is_running)
{
    atomic_store_explicit(&stream->cameras_run, is_running, memory_order_release);
    bell_ring(&stream->channel->capture_bell);
}

void stream_run_imu(struct stream *stream, bool is_running)
{
    atomic_store_explicit(&stream->imu_runs, is_running, memory_order_release);
    bell_ring(&stream->channel->imu_bell);
}

void stream_forget_imu(struct stream *stream)
{
    uint64_t written = atomic_load_explicit(&stream->channel->imu_written, memory_order_acquire);
    atomic_store_explicit(&stream->imu_taken, written, memory_order_relaxed);
}

/* ---- captures --------------------------------------------------------------------------------------------------- */

static void free_slot(struct genlock_slot *slot)
{
    atomic_store_explicit(&slot->tag, GENLOCK_TAG(0, GENLOCK_FREE), memory_order_release);
}

static struct genlock_slot *take_slot(struct genlock_channel *channel)
{
    for (;;) {
        struct genlock_slot *oldest = NULL;
        uint64_t oldest_tag = UINT64_MAX;
        for (uint32_t i = 0; i < GENLOCK_SLOTS; i++) {
            uint64_t tag = atomic_load_explicit(&channel->slots[i].tag, memory_order_relaxed);
            if (GENLOCK_TAG_STATE(tag) == GENLOCK_QUEUED && tag < oldest_tag) {
                oldest = &channel->slots[i];
                oldest_tag = tag;
            }
        }
        if (oldest == NULL) {
            return NULL;
        }
        if (atomic_compare_exchange_strong(&oldest->tag, &oldest_tag, GENLOCK_TAG(0, GENLOCK_TAKEN))) {
            return oldest;
        }
    }
}

static void return_loan(void *buffer, void *context)
{
    (void)buffer;
    struct loan *loan = context;
    if (atomic_fetch_sub_explicit(&loan->images, 1, memory_order_acq_rel) == 1) {
        free_slot(loan->slot);
        atomic_fetch_sub_explicit(&loan->stream->held, 1, memory_order_release);
        stream_release(loan->stream);
        free(loan);
    }
}

static void free_copy(void *buffer, void *context)
{
    (void)context;
    free(buffer);
}

/* An image over these pixels; NULL where the real library has no memory, and the pixels are released then as well. */
static k4a_image_t make_image(const struct real_k4a *real, const struct genlock_image *image, uint8_t *pixels,
                              buffer_release_t release, void *context)
{
    k4a_image_t handle = NULL;
    if (real->image_create_from_buffer(image->format, image->width_pixels, image->height_pixels, image->stride_bytes,
                                       pixels, image->bytes, release, context, &handle) != K4A_SUCCEEDED) {
        release(pixels, context);
        return NULL;
    }
    real->image_set_device_timestamp_usec(handle, image->device_timestamp_usec);
    real->image_set_system_timestamp_nsec(handle, image->system_timestamp_nsec);
    real->image_set_exposure_usec(handle, image->exposure_usec);
    real->image_set_white_balance(handle, image->white_balance);
    real->image_set_iso_speed(handle, image->iso_speed);
    return handle;
}

/* The slot's image, lent or copied; NULL where it has none or memory is short (`is_short` is set then). */
static k4a_image_t image_of(const struct real_k4a *real, const struct genlock_image *image, uint8_t *slot_pixels,
                            struct loan *loan, bool *is_short)
{
    uint8_t *pixels = slot_pixels + image->offset;
    k4a_image_t handle = NULL;
    if (image->bytes == 0) {
        return NULL;
    }
    if (loan != NULL) {
        atomic_fetch_add_explicit(&loan->images, 1, memory_order_relaxed);
        handle = make_image(real, image, pixels, return_loan, loan);
    } else {
        uint8_t *copy = malloc(image->bytes);
        if (copy != NULL) {
            memcpy(copy, pixels, image->bytes);
            handle = make_image(real, image, copy, free_copy, NULL);
        }
    }
    *is_short = *is_short || handle == NULL;
    return handle;
}

/* Beyond what a client may keep, captures are copied: one that hoards them must not starve itself. */
static struct loan *new_loan(struct stream *stream, struct genlock_slot *slot)
{
    if (atomic_fetch_add_explicit(&stream->held, 1, memory_order_acquire) >= GENLOCK_HELD_MAX) {
        atomic_fetch_sub_explicit(&stream->held, 1, memory_order_relaxed);
        return NULL;
    }
    struct loan *loan = malloc(sizeof(*loan));
    if (loan == NULL) {
        atomic_fetch_sub_explicit(&stream->held, 1, memory_order_relaxed);
        return NULL;
    }
    loan->stream = stream_reference(stream);
    loan->slot = slot;
    atomic_init(&loan->images, 1); /* ours, until the capture is complete */
    return loan;
}

static k4a_wait_result_t capture_from(struct stream *stream, struct genlock_slot *slot, k4a_capture_t *capture)
{
    const struct real_k4a *real = real_k4a();
    struct genlock_channel *channel = stream->channel;
    uint8_t *pixels = (uint8_t *)channel + channel->pixels_offset + (uint64_t)(slot - channel->slots) * channel->slot_bytes;
    k4a_capture_t made = NULL;
    if (real == NULL || real->capture_create(&made) != K4A_SUCCEEDED) {
        free_slot(slot);
        return K4A_WAIT_FAILED;
    }
    void (*const setters[GENLOCK_IMAGES])(k4a_capture_t, k4a_image_t) = {
        real->capture_set_color_image, real->capture_set_depth_image, real->capture_set_ir_image};
    struct loan *loan = new_loan(stream, slot);
    bool is_short = false;
    for (uint32_t i = 0; i < GENLOCK_IMAGES; i++) {
        k4a_image_t image = image_of(real, &slot->images[i], pixels, loan, &is_short);
        if (image != NULL) {
            setters[i](made, image);
            real->image_release(image); /* the capture has its own reference */
        }
    }
    if (!isnan(slot->temperature_c)) {
        real->capture_set_temperature_c(made, slot->temperature_c);
    }
    if (loan != NULL) {
        return_loan(NULL, loan);
    } else {
        free_slot(slot);
    }
    if (is_short) {
        real->capture_release(made);
        return K4A_WAIT_FAILED;
    }
    *capture = made;
    return K4A_WAIT_SUCCEEDED;
}

/* ---- inertial samples ------------------------------------------------------------------------------------------- */

static bool take_sample(struct stream *stream, k4a_imu_sample_t *sample)
{
    struct genlock_channel *channel = stream->channel;
    for (;;) {
        uint64_t written = atomic_load_explicit(&channel->imu_written, memory_order_acquire);
        uint64_t taken = atomic_load_explicit(&stream->imu_taken, memory_order_relaxed);
        uint64_t next = written - taken > GENLOCK_IMU_QUEUED_MAX ? written - GENLOCK_IMU_QUEUED_MAX : taken;
        uint64_t words[GENLOCK_IMU_WORDS];
        if (next == written) {
            return false;
        }
        for (uint32_t w = 0; w < GENLOCK_IMU_WORDS; w++) {
            words[w] = atomic_load_explicit(&channel->imu[next % GENLOCK_IMU_ENTRIES][w], memory_order_acquire);
        }
        bool is_whole =
            atomic_load_explicit(&channel->imu_written, memory_order_relaxed) - next < GENLOCK_IMU_ENTRIES;
        /* Another thread may have taken the same sample; then this one looks for the next. */
        if (is_whole && atomic_compare_exchange_strong(&stream->imu_taken, &taken, next + 1)) {
            memcpy(sample, words, sizeof(*sample));
            return true;
        }
    }
}

/* ---- waiting ---------------------------------------------------------------------------------------------------- */

static int64_t now_nsec(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sleeps until the bell rings or the deadline has passed (negative: there is none); false once it has. */
static bool sleep_until(_Atomic uint32_t *bell, uint32_t seen, int64_t deadline_nsec)
{
    int64_t left_nsec = deadline_nsec < 0 ? LONGEST_SLEEP_NSEC : deadline_nsec - now_nsec();
    if (left_nsec <= 0) {
        return false;
    }
    bell_wait(bell, seen, left_nsec < LONGEST_SLEEP_NSEC ? left_nsec : LONGEST_SLEEP_NSEC);
    return true;
}

static int64_t deadline_after(int32_t timeout_msec)
{
    return timeout_msec < 0 ? -1 : now_nsec() + (int64_t)timeout_msec * 1000000;
}

/* Whether anything can come: this side wants it, the other side has not ended it, and is there. */
static bool may_come(_Atomic bool *is_running, _Atomic uint32_t *is_over, int connection)
{
    return atomic_load_explicit(is_running, memory_order_acquire) &&
           !atomic_load_explicit(is_over, memory_order_acquire) && control_is_alive(connection);
}

k4a_wait_result_t stream_take_capture(struct stream *stream, int connection, k4a_capture_t *capture,
                                      int32_t timeout_msec)
{
    int64_t deadline_nsec = deadline_after(timeout_msec);
    for (;;) {
        uint32_t seen = atomic_load_explicit(&stream->channel->capture_bell, memory_order_acquire);
        if (!may_come(&stream->cameras_run, &stream->channel->is_over, connection)) {
            return K4A_WAIT_FAILED;
        }
        struct genlock_slot *slot = take_slot(stream->channel);
        if (slot != NULL) {
            return capture_from(stream, slot, capture);
        }
        if (!sleep_until(&stream->channel->capture_bell, seen, deadline_nsec)) {
            return K4A_WAIT_TIMEOUT;
        }
    }
}

k4a_wait_result_t stream_take_imu(struct stream *stream, int connection, k4a_imu_sample_t *sample,
                                  int32_t timeout_msec)
{
    int64_t deadline_nsec = deadline_after(timeout_msec);
    for (;;) {
        uint32_t seen = atomic_load_explicit(&stream->channel->imu_bell, memory_order_acquire);
        if (!may_come(&stream->imu_runs, &stream->channel->is_imu_over, connection)) {
            return K4A_WAIT_FAILED;
        }
        if (take_sample(stream, sample)) {
            return K4A_WAIT_SUCCEEDED;
        }
        if (!sleep_until(&stream->channel->imu_bell, seen, deadline_nsec)) {
            return K4A_WAIT_TIMEOUT;
        }
    }
}
