#pragma once

#include <cstdint>

#include "pgsluice/base/file_descriptor.h"

namespace pgsluice::test {

/// A TCP socket that listens on 127.0.0.1 on a port that was free; throws std::runtime_error.
FileDescriptor listen_on_loopback();
/// The port that a socket is bound to.
int port_of(const FileDescriptor& socket);
/// Waits until a descriptor is readable; false when `stop` became readable first.
bool readable_before(int fd, int stop);

}  // namespace pgsluice::test
