#pragma once

// For builds with HAIL_SANITIZE=thread, found before protobuf's own header. That header adds two members to
// `MapFieldBase` where it sees ThreadSanitizer. The packaged library was built without them, so the two disagree on the
// place of every member behind: reflection over a map field would then lock and clear at wrong addresses.

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>  // IWYU pragma: export
#pragma pop_macro("__SANITIZE_THREAD__")
