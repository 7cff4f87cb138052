//! A root in a YubiKey: real PC/SC, a virtual card, every verb that touches the token.

mod ceremony;
mod desk;
