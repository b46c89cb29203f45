//! The sockets: who may connect, how long a connection may be quiet, how many bytes of bodies are held at once, and which
//! half of the emulator answers. One thread serves all of them; what takes long is done on others.

pub(crate) mod body;
pub(crate) mod budget;
pub(crate) mod connections;
pub(crate) mod limits;
pub(crate) mod network;
pub(crate) mod table;
pub(crate) mod wire;
