//! A virtual YubiKey: its PIV application after NIST SP 800-73-4 part 2 and Yubico's
//! pages ("PIV tool", "Yubico extensions", "PIV attestation"), and as much of the others
//! as programs ask of them. It is plugged into pcscd's reader `vpcd` over TCP as long as
//! this process runs, and misbehaves on order.
//!
//! ```text
//! card --folder DIR [--port 35963] [--serial 7654321] [--firmware 5.7.4]
//! ```
//!
//! Serial number and firmware are those of a new card; one that is in the folder keeps
//! its own. In the folder lie
//!
//! ```text
//! card.json    what the card keeps: keys, objects, PIN, PUK
//! root.pem     what its attestation chains to; issuers.pem: what lies between
//! orders       what to do at which command: see `orders`; read anew at every one
//! calls        written here: each command that begins and ends, each key and signature made
//! go           lets those go on that were ordered to wait
//! touch        made, it touches the key: it is gone as soon as it was felt
//! ```
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // as in the tests
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a test's tool: it lives by files, sockets and sleeps

mod apdu;
mod attestation;
mod card;
#[path = "../misbehaving/deed.rs"]
mod deed;
mod keys;
mod management;
mod orders;
mod piv;
mod state;
mod tlv;
mod vpcd;

use std::path::PathBuf;

use clap::Parser as _;

#[derive(clap::Parser)]
struct Arguments {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value_t = 35963)]
    port: u16,
    #[arg(long, default_value_t = 7_654_321)]
    serial: u32,
    #[arg(long, default_value = "5.7.4", value_parser = version)]
    firmware: state::Version,
}

fn main() {
    let Arguments { folder, port, serial, firmware } = Arguments::parse();
    std::fs::create_dir_all(&folder).expect("the card's folder can be made");
    let state = state::State::load(&folder).unwrap_or_else(|| {
        let mut new = state::State::new(&folder, serial, firmware);
        attestation::install(&mut new, &folder);
        new.save();
        new
    });
    vpcd::plug(port, card::Card::new(piv::Piv::new(state, orders::Orders::new(folder))));
}

fn version(text: &str) -> Result<state::Version, String> {
    let numbers: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
    let numbers = numbers.map_err(|error| error.to_string())?;
    numbers.try_into().map_err(|_| "three numbers".to_string())
}
