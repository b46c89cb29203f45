//! The sockets: who may connect, how long a connection may be idle, how many bytes of bodies are held at once, and which
//! half of the emulator answers.

pub(crate) mod connections;
