//! Tells the linker that Node.js supplies the rest.

fn main() {
    napi_build::setup();
}
