#pragma once

#include "base/file_descriptor.h"
#include "pgsluice/cancel.h"

namespace pgsluice::test {

/// A TCP socket that listens on 127.0.0.1 on a port that was free; throws std::runtime_error.
FileDescriptor listen_on_loopback();
/// A port that is free, and that the system gives to nobody who asks for any: a server that ended finds it free again.
int free_server_port();
/// The port that a socket is bound to.
int port_of(const FileDescriptor& socket);
/// Waits until a descriptor is readable; false after the cancellation.
bool readable_before(int fd, const CancelToken& stop);

}  // namespace pgsluice::test
