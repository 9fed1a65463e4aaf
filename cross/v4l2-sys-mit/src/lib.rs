//! Raw bindings to `linux/videodev2.h`, generated once and checked in: see README.md.

#![allow(clippy::all)]
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals)]

include!("bindings.rs");
