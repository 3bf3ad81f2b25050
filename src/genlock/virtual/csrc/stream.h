/* The client's end of a channel: one start of a device's cameras, and the inertial samples that go with it. */
#ifndef GENLOCK_STREAM_H
#define GENLOCK_STREAM_H

#include "k4a_abi.h"
#include "protocol.h"

/* Counted: the device holds one reference, every image in the application's hands another. */
struct stream;

/* Takes the channel in; closes the descriptor. NULL where it cannot be mapped. */
struct stream *stream_open(int descriptor);
struct stream *stream_reference(struct stream *stream);
void stream_release(struct stream *stream);

/* Whether captures, or samples, are to be had; every wait for them ends when they no longer are. */
void stream_run_cameras(struct stream *stream, bool is_running);
void stream_run_imu(struct stream *stream, bool is_running);
/* Forgets the samples that wait. */
void stream_forget_imu(struct stream *stream);

/*
 * The oldest capture, or sample, that waits. A timeout of 0 does not wait, a negative one waits for ever. `connection`
 * is watched meanwhile: FAILED when the server is gone.
 */
k4a_wait_result_t stream_take_capture(struct stream *stream, int connection, k4a_capture_t *capture,
                                      int32_t timeout_msec);
k4a_wait_result_t stream_take_imu(struct stream *stream, int connection, k4a_imu_sample_t *sample,
                                  int32_t timeout_msec);

#endif
