// SQLite's way to a Disk.
#pragma once

namespace hail::powerloss {

// Makes an SQLite VFS the default of this process that keeps files below a Disk's folder on that disk and leaves all
// others alone. Memory-mapped reads (mmap_size) are not offered. May be called again; before SQLite opens anything.
// Returns an SQLite result code.
int InstallVfs();

}  // namespace hail::powerloss
