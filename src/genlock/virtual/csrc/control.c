#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int control_connect(void)
{
    const char *path = getenv("GENLOCK_VIRTUAL");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0) {
        return -1;
    }
    int connected;
    do {
        connected = connect(connection, (struct sockaddr *)&address, sizeof(address));
    } while (connected < 0 && errno == EINTR);
    if (connected < 0) {
        close(connection);
        return -1;
    }
    return connection;
}

bool control_is_alive(int connection)
{
    struct pollfd state = {.fd = connection};
    return poll(&state, 1, 0) == 0;
}

static bool send_request(int connection, const struct genlock_request *request)
{
    ssize_t sent;
    do {
        sent = send(connection, request, sizeof(*request), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)sizeof(*request);
}

static int descriptor_in(struct msghdr *message)
{
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    int descriptor = -1;
    if (control != NULL && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
        memcpy(&descriptor, CMSG_DATA(control), sizeof(descriptor));
    }
    return descriptor;
}

bool control_ask(int connection, const struct genlock_request *request, struct genlock_reply *reply, void *extra,
                 size_t *extra_bytes, int *descriptor)
{
    struct iovec parts[2] = {
        {.iov_base = reply, .iov_len = sizeof(*reply)},
        {.iov_base = extra, .iov_len = extra_bytes ? *extra_bytes : 0},
    };
    union {
        struct cmsghdr alignment;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = parts,
        .msg_iovlen = extra_bytes ? 2 : 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    if (!send_request(connection, request)) {
        return false;
    }
    ssize_t received;
    do {
        received = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < (ssize_t)sizeof(*reply)) {
        return false;
    }
    int received_descriptor = descriptor_in(&message);
    if (descriptor != NULL) {
        *descriptor = received_descriptor;
    } else if (received_descriptor >= 0) {
        close(received_descriptor);
    }
    if (extra_bytes) {
        *extra_bytes = (size_t)received - sizeof(*reply);
    }
    return (message.msg_flags & MSG_TRUNC) == 0;
}
