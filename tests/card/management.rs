//! Authentication by the management key: SP 800-73-4 part 2, 3.2.4, the card's side of
//! "authentication of an entity" and of "mutual authentication".

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};

use crate::apdu::{Answer, status};
use crate::state::Management;
use crate::tlv::{get, tlv};

/// What the card waits for.
#[derive(Default)]
pub enum Waiting {
    #[default]
    Nothing,
    /// These bytes, which it sent encrypted.
    Witness(Vec<u8>),
    /// These bytes encrypted.
    Response(Vec<u8>),
}

/// One step: what the card answers, and whether the other side has proved itself.
pub fn step(key: &Management, waiting: &mut Waiting, template: &[u8]) -> Result<(Vec<u8>, bool), u16> {
    let mut fresh = vec![0; block_length(key.algorithm)];
    aws_lc_rs::rand::fill(&mut fresh).expect("randomness");
    let challenge = get(template, 0x81);
    match (std::mem::take(waiting), get(template, 0x80), challenge, get(template, 0x82)) {
        (_, Some([]), _, _) => {
            let sent = encrypt(key, &fresh)?;
            *waiting = Waiting::Witness(fresh);
            Ok((tlv(0x80, &sent), false))
        }
        (_, None, Some([]), _) => {
            let sent = tlv(0x81, &fresh);
            *waiting = Waiting::Response(fresh);
            Ok((sent, false))
        }
        (Waiting::Witness(sent), Some(found), Some(challenge), _) if found == sent => {
            Ok((tlv(0x82, &encrypt(key, challenge)?), true))
        }
        (Waiting::Response(sent), _, _, Some(found)) if found == encrypt(key, &sent)? => {
            Ok((Vec::new(), true))
        }
        (Waiting::Witness(_) | Waiting::Response(_), ..) => Err(status::SECURITY),
        _ => Err(status::BAD_DATA),
    }
}

/// The length that a key of this algorithm has.
pub fn key_length(algorithm: u8) -> Option<usize> {
    match algorithm {
        0x03 | 0x0a => Some(24),
        0x08 => Some(16),
        0x0c => Some(32),
        _ => None,
    }
}

fn block_length(algorithm: u8) -> usize {
    if algorithm == 0x03 { 8 } else { 16 }
}

fn encrypt(key: &Management, data: &[u8]) -> Answer {
    match key.algorithm {
        0x03 => one_block::<des::TdesEde3>(&key.key, data),
        0x08 => one_block::<aes::Aes128>(&key.key, data),
        0x0a => one_block::<aes::Aes192>(&key.key, data),
        _ => one_block::<aes::Aes256>(&key.key, data),
    }
}

fn one_block<C: KeyInit + BlockCipherEncrypt>(key: &[u8], data: &[u8]) -> Answer {
    let mut block = Block::<C>::try_from(data).map_err(|_| status::BAD_DATA)?;
    C::new_from_slice(key).expect("a key of its length").encrypt_block(&mut block);
    Ok(block.to_vec())
}
