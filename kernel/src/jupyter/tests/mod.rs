//! Conformance tests of the wire: a fake frontend talks to a served kernel over real sockets.

mod frontend;
mod protocol;
mod running;
