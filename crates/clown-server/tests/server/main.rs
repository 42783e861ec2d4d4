//! A whole server in this process, and what clients see of it over real sockets.

mod client;
mod stream;
mod support;
