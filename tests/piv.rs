//! A root in a YubiKey: real PC/SC, a virtual card, every verb that touches the token.

mod attestation;
mod ceremony;
pub mod desk;
mod misbehaving;
mod secrets;
mod slots;
mod two_devices;
