// Connects SQLite to a Disk.
#pragma once

namespace hail::powerloss {

// Installs an SQLite VFS as the default of this process. It keeps files below a Disk's folder on that disk and passes
// all others through. It offers no memory-mapped reads (mmap_size). May be called again. Call it before SQLite opens a
// file. Returns an SQLite result code.
int InstallVfs();

}  // namespace hail::powerloss
