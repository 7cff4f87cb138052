//! vpcd's protocol: the card connects to the reader; messages have their length before
//! them; one of a single byte is for the reader's side of the card.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_quickack;

use crate::card::Card;

/// What a YubiKey 5 says of itself on a reset; it offers T=1.
const ATR: &[u8] = &[
    0x3b, 0xfd, 0x13, 0x00, 0x00, 0x81, 0x31, 0xfe, 0x15, 0x80, 0x73, 0xc0, 0x21, 0xc0, 0x57, 0x59, 0x75,
    0x62, 0x69, 0x4b, 0x65, 0x79, 0x40,
];

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const GET_ATR: u8 = 4;

/// Plugs the card in until it is taken out, whatever becomes of the reader.
pub fn plug(port: u16, mut card: Card) -> ! {
    loop {
        let mut reader = connect(port);
        card.reset();
        while let Some(message) = receive(&mut reader) {
            match message[..] {
                [POWER_OFF | POWER_ON | RESET] => card.reset(),
                [GET_ATR] => send(&mut reader, ATR),
                _ => send(&mut reader, &card.answer(&message)),
            }
        }
    }
}

/// The reader may still be starting, or start again.
fn connect(port: u16) -> TcpStream {
    loop {
        if let Ok(reader) = TcpStream::connect(("127.0.0.1", port)) {
            reader.set_nodelay(true).expect("a TCP socket");
            return reader;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn receive(reader: &mut TcpStream) -> Option<Vec<u8>> {
    // Else each message waits 40 ms for the acknowledgement of the one before.
    let _ = set_tcp_quickack(&*reader, true);
    let mut length = [0; 2];
    let mut read = |buffer: &mut [u8]| match reader.read_exact(buffer) {
        Ok(()) => Some(()),
        Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => None,
        Err(e) => panic!("the reader: {e}"),
    };
    read(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    read(&mut message)?;
    Some(message)
}

fn send(reader: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).expect("a short message").to_be_bytes();
    let _ = reader.write_all(&[&length, message].concat()); // gone: the next read says so
}
