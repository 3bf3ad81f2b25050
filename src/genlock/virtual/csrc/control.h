/* The control connection of one opened device. */
#ifndef GENLOCK_CONTROL_H
#define GENLOCK_CONTROL_H

#include "protocol.h"

#include <stdbool.h>
#include <stddef.h>

/* Connects to the virtual rig that GENLOCK_VIRTUAL names; -1 where there is none. */
int control_connect(void);

/* Whether the other end still holds the connection; asks nothing, waits for nothing. */
bool control_is_alive(int connection);

/*
 * Sends a request, waits for its reply. What follows the reply's fields goes to `extra`, its length to `extra_bytes`
 * (on entry: the room there); a descriptor that comes along to `descriptor`, else -1. Either may be NULL. False where
 * the server is gone or answers nonsense.
 */
bool control_ask(int connection, const struct genlock_request *request, struct genlock_reply *reply, void *extra,
                 size_t *extra_bytes, int *descriptor);

#endif
