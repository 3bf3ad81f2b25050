/*
 * The server's end of a channel: makes it, puts captures and inertial samples in. One thread at a time for captures,
 * one for samples. Loaded by `genlock/virtual/channel.py`.
 */
#define _GNU_SOURCE
#include "bell.h"
#include "k4a_abi.h"
#include "protocol.h"

#include <string.h>
#include <sys/mman.h>

struct genlock_source {
    const void *pixels; /* NULL: no such image */
    struct genlock_image image;
};

struct genlock_producer {
    struct genlock_channel *channel;
    uint64_t mapped_bytes;
    uint64_t captures;
};

#define PIXEL_ALIGNMENT 4096u

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + PIXEL_ALIGNMENT - 1) / PIXEL_ALIGNMENT * PIXEL_ALIGNMENT;
}

/*
 * Makes a channel whose slots hold images of so many bytes together; returns its descriptor, -1 where it cannot be
 * had. The memory has no name in the file system: it is gone when the last holder is, however that one ended.
 */
int genlock_channel_create(struct genlock_producer *producer, uint64_t image_bytes)
{
    uint64_t slot_bytes = round_up(image_bytes) + GENLOCK_IMAGES * PIXEL_ALIGNMENT;
    uint64_t pixels_offset = round_up(sizeof(struct genlock_channel));
    uint64_t mapped_bytes = pixels_offset + GENLOCK_SLOTS * slot_bytes;
    int descriptor = memfd_create("genlock-virtual", MFD_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    void *memory = MAP_FAILED;
    if (ftruncate(descriptor, (off_t)mapped_bytes) == 0) {
        memory = mmap(NULL, mapped_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    }
    if (memory == MAP_FAILED) {
        close(descriptor);
        return -1;
    }
    producer->channel = memory; /* zeroed by the kernel: every slot is free */
    producer->channel->slot_bytes = slot_bytes;
    producer->channel->pixels_offset = pixels_offset;
    producer->mapped_bytes = mapped_bytes;
    producer->captures = 0;
    return descriptor;
}

void genlock_channel_destroy(struct genlock_producer *producer)
{
    munmap(producer->channel, producer->mapped_bytes);
    producer->channel = NULL;
}

/* No captures come any more: every wait for one ends. */
void genlock_channel_end(struct genlock_producer *producer)
{
    atomic_store_explicit(&producer->channel->is_over, 1, memory_order_release);
    bell_ring(&producer->channel->capture_bell);
}

/* No inertial samples come any more. */
void genlock_channel_end_imu(struct genlock_producer *producer)
{
    atomic_store_explicit(&producer->channel->is_imu_over, 1, memory_order_release);
    bell_ring(&producer->channel->imu_bell);
}

/* Gives up the oldest of seven captures that wait; leaves everything as it is while fewer do. */
static void make_room(struct genlock_channel *channel)
{
    for (;;) {
        struct genlock_slot *oldest = NULL;
        uint64_t oldest_tag = UINT64_MAX;
        uint32_t queued = 0;
        for (uint32_t i = 0; i < GENLOCK_SLOTS; i++) {
            uint64_t tag = atomic_load_explicit(&channel->slots[i].tag, memory_order_acquire);
            if (GENLOCK_TAG_STATE(tag) == GENLOCK_QUEUED) {
                queued++;
                if (tag < oldest_tag) {
                    oldest = &channel->slots[i];
                    oldest_tag = tag;
                }
            }
        }
        if (queued < GENLOCK_QUEUED_MAX) {
            return;
        }
        /* Where the client was faster, it has taken that capture, and there is room. */
        atomic_compare_exchange_strong(&oldest->tag, &oldest_tag, GENLOCK_TAG(0, GENLOCK_FREE));
    }
}

static struct genlock_slot *free_slot(struct genlock_channel *channel, uint32_t *index)
{
    for (uint32_t i = 0; i < GENLOCK_SLOTS; i++) {
        uint64_t tag = atomic_load_explicit(&channel->slots[i].tag, memory_order_acquire);
        if (GENLOCK_TAG_STATE(tag) == GENLOCK_FREE) { /* nobody but this thread takes a free slot */
            atomic_store_explicit(&channel->slots[i].tag, GENLOCK_TAG(0, GENLOCK_FILLING), memory_order_relaxed);
            *index = i;
            return &channel->slots[i];
        }
    }
    return NULL;
}

/* Queues a capture of color, depth and IR; 0, or -1 where it does not fit or the client keeps too many slots. */
int genlock_channel_push(struct genlock_producer *producer, const struct genlock_source *sources, float temperature_c)
{
    struct genlock_channel *channel = producer->channel;
    uint64_t needed_bytes = 0;
    for (uint32_t i = 0; i < GENLOCK_IMAGES; i++) {
        needed_bytes += sources[i].pixels ? round_up(sources[i].image.bytes) : 0;
    }
    if (needed_bytes > channel->slot_bytes) {
        return -1;
    }
    make_room(channel);
    uint32_t index = 0;
    struct genlock_slot *slot = free_slot(channel, &index);
    if (slot == NULL) {
        return -1;
    }
    uint64_t offset = 0;
    uint8_t *pixels = (uint8_t *)channel + channel->pixels_offset + index * channel->slot_bytes;
    for (uint32_t i = 0; i < GENLOCK_IMAGES; i++) {
        slot->images[i] = sources[i].image;
        slot->images[i].offset = offset;
        if (sources[i].pixels) {
            memcpy(pixels + offset, sources[i].pixels, sources[i].image.bytes);
            offset += round_up(sources[i].image.bytes);
        } else {
            slot->images[i].bytes = 0;
        }
    }
    slot->temperature_c = temperature_c;
    producer->captures++;
    atomic_store_explicit(&slot->tag, GENLOCK_TAG(producer->captures, GENLOCK_QUEUED), memory_order_release);
    bell_ring(&channel->capture_bell);
    return 0;
}

/* Queues inertial samples. */
void genlock_channel_push_imu(struct genlock_producer *producer, const k4a_imu_sample_t *samples, uint64_t count)
{
    struct genlock_channel *channel = producer->channel;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t written = atomic_load_explicit(&channel->imu_written, memory_order_relaxed);
        uint64_t words[GENLOCK_IMU_WORDS];
        memcpy(words, &samples[i], sizeof(words));
        /* Who sees one of these words sees the last `imu_written` as well, and so knows whether it was too slow. */
        for (uint32_t w = 0; w < GENLOCK_IMU_WORDS; w++) {
            atomic_store_explicit(&channel->imu[written % GENLOCK_IMU_ENTRIES][w], words[w], memory_order_release);
        }
        atomic_store_explicit(&channel->imu_written, written + 1, memory_order_release);
    }
    if (count) {
        bell_ring(&channel->imu_bell);
    }
}
