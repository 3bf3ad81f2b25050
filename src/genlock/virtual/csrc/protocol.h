/*
 * What a client's library and the process that runs the virtual rig say to each other.
 *
 * Control: one SOCK_SEQPACKET connection for each opened device (and short ones for questions before that), one reply
 * for each request. The end of the connection is the end of the device's being open, however its holder ended.
 *
 * Captures and inertial samples: one shared-memory channel for each start of a device's cameras, whose descriptor
 * comes with the reply to START. Slots of a channel have one owner at any time, so that no image can be torn:
 *
 *     FREE --server--> FILLING --server--> QUEUED --client--> TAKEN --client--> FREE
 *                         ^                  |
 *                         +------server------+      (seven wait already: the oldest is given up)
 *
 * A slot's tag holds its state and the number of its capture in one word: whoever changes it by compare-and-swap knows
 * that it is still the same capture. Neither side ever waits for the other to change a tag, so either may be killed
 * anywhere. `genlock/virtual/wire.py` is the other half of the control messages.
 */
#ifndef GENLOCK_PROTOCOL_H
#define GENLOCK_PROTOCOL_H

#include <stdatomic.h>
#include <stdint.h>

#define GENLOCK_PROTOCOL 1u

/* ---- control ---------------------------------------------------------------------------------------------------- */

enum genlock_operation {
    GENLOCK_COUNT = 1,     /* -> values[0]: devices on the bus */
    GENLOCK_OPEN = 2,      /* index -> identity */
    GENLOCK_START = 3,     /* the nine fields of the configuration, whether images stay apart -> a channel's descriptor */
    GENLOCK_STOP = 4,
    GENLOCK_START_IMU = 5,
    GENLOCK_STOP_IMU = 6,
    GENLOCK_JACKS = 7,         /* -> values: sync in, sync out */
    GENLOCK_CONTROL_RANGE = 8, /* command -> values: supports auto, min, max, step, default, default mode */
    GENLOCK_CONTROL_GET = 9,   /* command -> values: mode, value */
    GENLOCK_CONTROL_SET = 10,  /* command, mode, value */
    GENLOCK_CLOSE = 11,
};

struct genlock_request {
    uint32_t protocol;
    uint32_t operation;
    int32_t arguments[10];
};

struct genlock_reply {
    int32_t result; /* 0 succeeded, 1 failed */
    int32_t values[7];
};

/* Follows the reply to OPEN; the calibration follows it, with the trailing NUL that the SDK's has. */
struct genlock_identity {
    char serial_number[32];
    uint32_t version[14]; /* as k4a_hardware_version_t */
    uint32_t calibration_bytes;
};

#define GENLOCK_MAX_REPLY_BYTES (256u * 1024u)

/* ---- channel ---------------------------------------------------------------------------------------------------- */

#define GENLOCK_QUEUED_MAX 7u /* captures that wait for the application, as in the SDK; a further one drops the oldest */
#define GENLOCK_HELD_MAX 8u   /* slots that a client keeps without copying; beyond that it copies */
#define GENLOCK_SLOTS 16u     /* 7 waiting, 8 held, 1 being filled */
#define GENLOCK_IMAGES 3u     /* color, depth, IR */

#define GENLOCK_IMU_QUEUED_MAX 833u /* half a second, as in the SDK */
#define GENLOCK_IMU_ENTRIES 2048u   /* so many that a slow reader notices before what it reads is written over */
#define GENLOCK_IMU_WORDS 6u        /* a k4a_imu_sample_t, 64 bits at a time */

enum genlock_slot_state { GENLOCK_FREE = 0, GENLOCK_FILLING = 1, GENLOCK_QUEUED = 2, GENLOCK_TAKEN = 3 };

#define GENLOCK_TAG(number, state) (((uint64_t)(number) << 2) | (uint64_t)(state))
#define GENLOCK_TAG_STATE(tag) ((enum genlock_slot_state)((tag)&3u))

struct genlock_image {
    uint64_t bytes; /* 0: the capture has no such image */
    uint64_t offset; /* of the pixels, in the slot */
    uint64_t device_timestamp_usec;
    uint64_t system_timestamp_nsec;
    uint64_t exposure_usec;
    int32_t format;
    int32_t width_pixels;
    int32_t height_pixels;
    int32_t stride_bytes;
    uint32_t white_balance;
    uint32_t iso_speed;
};

struct genlock_slot {
    _Atomic uint64_t tag;
    float temperature_c;
    struct genlock_image images[GENLOCK_IMAGES];
};

struct genlock_channel {
    uint64_t slot_bytes;
    uint64_t pixels_offset; /* of slot 0's pixels, from the channel's beginning; the other slots' follow */
    _Atomic uint32_t is_over;     /* no captures come any more: the cameras were stopped, or the device is gone */
    _Atomic uint32_t is_imu_over; /* no samples: it is gone */
    _Atomic uint32_t capture_bell; /* futex: changes with every capture and everything that ends a wait for one */
    _Atomic uint32_t imu_bell;     /* the same for inertial samples */
    _Atomic uint64_t imu_written;
    _Atomic uint64_t imu[GENLOCK_IMU_ENTRIES][GENLOCK_IMU_WORDS];
    struct genlock_slot slots[GENLOCK_SLOTS];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "a lock would not reach the other process");

#endif
